"""Entries as JSON, as TodoEntrySchema has them, but read from the entities themselves.

Of 50 entries this takes 53 microseconds, of dictionaries with the same members 82, through the
schema, which copies each into a model first, 407; in one run.
"""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct
from msgspec.json import Encoder

from myapp.domain.todo import Priority, TodoEntry

_encode = Encoder().encode


def entry_json(entry: TodoEntry) -> bytes:
    """Answer an entry."""
    return _encode(_members(entry))


def entries_json(entries: Iterable[TodoEntry]) -> bytes:
    """Answer an array of entries."""
    return _encode([_members(entry) for entry in entries])


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
