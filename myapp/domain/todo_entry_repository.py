"""The storage of todo entries as the domain sees it: what it holds and how it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import InvalidValue
from myapp.domain.text import fold, normalise
from myapp.domain.todo import CONTENT_MOST, Priority, TodoEntry, normalise_tag
from myapp.domain.todo_history import TodoHistory

SORTED_CONTENT = 100
"""Entries are sorted by so many code points of their folded content."""

PAGE_MOST = 1_000
PAGE_DEFAULT = 100

SortKey = datetime | int | str | None


class Sort(StrEnum):
    """What entries are sorted by; entries of the same key stand in the order of their ids."""

    CREATED = "created"
    UPDATED = "updated"
    DUE = "due"
    PRIORITY = "priority"
    CONTENT = "content"

    @property
    def key(self) -> Callable[[TodoEntry], SortKey]:
        """What answers an entry's place in it; None (no due date) comes last either way."""
        return _KEYS[self]


def _content_key(entry: TodoEntry) -> str:
    return fold(entry.content)[:SORTED_CONTENT]


_KEYS: Mapping[Sort, Callable[[TodoEntry], SortKey]] = {
    Sort.CREATED: attrgetter("created_at"),
    Sort.UPDATED: attrgetter("updated_at"),
    Sort.DUE: attrgetter("due_moment"),
    Sort.PRIORITY: attrgetter("priority.rank"),
    Sort.CONTENT: _content_key,
}


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an order: where a page ended, whether or not that entry is still there."""

    key: SortKey
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoQuery:
    """Which entries, in which order, and how many. Every condition given must hold.

    `search` is a folded part of the content or the notes, or a whole folded tag; `tags`
    must all be there, one of `priorities` suffices. `before` is exclusive and `after`
    inclusive, and an entry without such a time never matches. `descending` turns the
    whole order round, the ids included. `start` is the position after which to begin.
    """

    search: str = ""
    tags: frozenset[str] = frozenset()
    done: bool | None = None
    priorities: frozenset[Priority] = frozenset()
    due_before: datetime | None = None
    due_after: datetime | None = None
    completed_before: datetime | None = None
    completed_after: datetime | None = None
    sort: Sort = Sort.CREATED
    descending: bool = False
    limit: int = PAGE_DEFAULT
    start: Position | None = None
    counted: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "search", normalise_search(self.search))
        put(self, "tags", frozenset(map(normalise_tag, self.tags)))
        if not 1 <= self.limit <= PAGE_MOST:
            raise InvalidValue("limit", f"must be from 1 to {PAGE_MOST:,}")

    def matches(self, entry: TodoEntry) -> bool:
        """Whether the entry is one of those asked for, on whatever page."""
        return (
            (self.done is None or self.done == entry.done)
            and (not self.priorities or entry.priority in self.priorities)
            and (not self.tags or self.tags.issubset(entry.tags))
            and _within(entry.due_moment, self.due_after, self.due_before)
            and _within(entry.completed_at, self.completed_after, self.completed_before)
            and (not self.search or self._finds(entry))
        )

    @property
    def is_filtered(self) -> bool:
        """Whether anything besides the search has to hold."""
        return bool(
            self.done is not None
            or self.priorities
            or self.tags
            or self.due_after
            or self.due_before
            or self.completed_after
            or self.completed_before
        )

    def page_after(self, start: Position) -> "TodoQuery":
        """Answer the same query from a position on, in a fifth of the time of replace.

        What it asks for is normalised already.
        """
        page = object.__new__(TodoQuery)
        for name in TodoQuery.__slots__:
            object.__setattr__(page, name, getattr(self, name))
        object.__setattr__(page, "start", start)
        return page

    def unsearched(self) -> "TodoQuery":
        """The same conditions without the search, for a storage with its own way of that."""
        return replace(self, search="")

    def _finds(self, entry: TodoEntry) -> bool:
        wanted = fold(self.search)
        return (
            wanted in fold(entry.content)
            or wanted in fold(entry.notes)
            or any(wanted == fold(tag) for tag in entry.tags)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of entries, as they stood together at one moment.

    `next` is where to go on if there is more, `revision` the store's when it was read,
    `total` the number of entries on all pages if the query asked for it.
    """

    entries: Sequence[TodoEntry]
    revision: int
    next: Position | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class TagUse:
    """A tag with the number of open entries and of all entries that carry it."""

    tag: str
    open: int
    all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That a request was carried out, to be answered the same when it comes again.

    `key` is the client's name for it, `digest` tells it from other requests, `at` is when
    it came, `changes` what was stored for it.
    """

    key: str
    digest: str
    at: datetime
    changes: Sequence[Change] = ()


class TodoEntryRepository(ABC):
    """The todo entries at rest. Every call is atomic; what it has answered survives a crash.

    No reader sees a change before it is durable. Any call may raise StorageUnavailable.
    """

    @property
    @abstractmethod
    def history(self) -> TodoHistory:
        """What has happened to the entries."""

    @abstractmethod
    async def get(self, entry_id: UUID) -> TodoEntry:
        """Answer the entry; raises TodoEntryNotFound if never stored, or removed."""

    @abstractmethod
    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        """Answer what the entries are at one moment, also that they are removed.

        Those that were never stored are left out, and those forgotten since their removal.
        """

    @abstractmethod
    async def find(self, query: TodoQuery) -> Page:
        """Answer one page of the entries that match.

        Pages are cut by key: while one walks through them, an entry whose own key stays
        neither repeats nor vanishes because others come and go.
        """

    @abstractmethod
    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        """Store new, changed and removed entries together: all of them or none.

        Answers the changes, with the entries under their new revisions: each takes the next
        number of one sequence that only grows and never repeats. Raises StaleTodoEntry if
        one is not based on its stored revision (revision 0: must not be there), StorageFull
        if there is no space. What was removed can be based on, too, while it is kept.

        A receipt is stored with them, even with none, and gets these changes; raises
        ReceiptExists if there is one of the same key.
        """

    @abstractmethod
    async def receipt(self, key: str) -> Receipt | None:
        """Answer the receipt under a key, if there is one."""

    @abstractmethod
    async def tags(self) -> Sequence[TagUse]:
        """Answer every tag in use, sorted by code point."""

    @abstractmethod
    async def check(self) -> None:
        """Raise StorageUnavailable or StorageFull if a save could not be stored now."""


def normalise_search(text: str) -> str:
    """Answer the text to search for: possibly empty, and as long as content at most."""
    return text and normalise(text, field="search", most=CONTENT_MOST, lines=True)


def _within(moment: datetime | None, after: datetime | None, before: datetime | None) -> bool:
    if after is None and before is None:
        return True
    return (
        moment is not None
        and (after is None or moment >= after)
        and (before is None or moment < before)
    )
