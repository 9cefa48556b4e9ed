"""Entries as JSON, as TodoEntrySchema has them, but read from the entities themselves.

Of 50 entries this takes 53 microseconds, of dictionaries with the same members 82, through the
schema, which copies each into a model first, 407; in one run.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime
from operator import is_
from uuid import UUID

from msgspec import Struct
from msgspec.json import Encoder

from myapp.domain.todo import Priority, TodoEntry

_PAGES_KEPT = 20
_PAGE_LONGEST = 128 * 1024  # bytes

_encode = Encoder().encode


def entry_json(entry: TodoEntry) -> bytes:
    """Answer an entry."""
    return _encode(_members(entry))


def entries_json(entries: Sequence[TodoEntry]) -> bytes:
    """Answer an array of entries."""
    return _pages.write(entries)


def id_or_entry_json(answer: UUID | TodoEntry) -> bytes:
    """Answer an entry, or just an id."""
    return _encode(answer) if isinstance(answer, UUID) else entry_json(answer)


class _Members(Struct, gc=False):  # they hold nothing that could lead back to them
    id: UUID
    content: str
    notes: str
    tags: tuple[str, ...]
    priority: Priority
    due: date | datetime | None
    done: bool
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    revision: int


def _members(entry: TodoEntry) -> _Members:
    due, completed_at = entry.due, entry.completed_at
    return _Members(
        entry.id,
        entry.content,
        entry.notes,
        entry.tags,
        entry.priority,
        None if due is None else due.value,
        completed_at is not None,
        completed_at,
        entry.created_at,
        entry.updated_at,
        entry.revision,
    )


class _Pages:
    """Writes arrays of entries, and remembers those that it was asked for more than once.

    First pages are asked for again and again, and the same entries, which never change, look
    the same: to see that it is they takes a hundredth of the time of writing them. So a page
    is written once even if what has changed meanwhile is not on it; of a database, where
    entries are then made anew, once as long as nothing changes.
    """

    def __init__(self) -> None:
        self._asked: OrderedDict[object, tuple[Sequence[TodoEntry], bytes]] = OrderedDict()

    def write(self, entries: Sequence[TodoEntry]) -> bytes:
        """Answer the array."""
        name = len(entries), *(entry.revision for entry in (*entries[:1], *entries[-1:]))
        before, page = self._asked.pop(name, ((), b""))
        is_known = len(before) == len(entries) and all(map(is_, before, entries))
        if not is_known or not page:
            page = _encode([_members(entry) for entry in entries])
        if len(page) <= _PAGE_LONGEST:
            self._asked[name] = entries, page if is_known else b""
            if len(self._asked) > _PAGES_KEPT:
                self._asked.popitem(last=False)
        return page


_pages = _Pages()
