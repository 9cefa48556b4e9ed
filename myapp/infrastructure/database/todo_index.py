"""All entries in memory, ready to be asked: by id, by tag, in every order."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Position,
    Sort,
    SortKey,
    TagUse,
    TodoQuery,
)


class TodoIndex:
    """The entries that are there, without the removed ones, at a revision of the store.

    Orders and folded texts are made when first asked for and kept up to date from then on.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._entries: dict[int, TodoEntry] = {}
        self._orders: dict[Sort, _Order] = {}
        self._texts: dict[int, str] = {}
        self._tags: dict[str, list[int]] = {}  # number of open and of all entries

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[TodoEntry]:
        """Answer all entries, in no particular order."""
        return list(self._entries.values())

    def get(self, entry_id: UUID) -> TodoEntry | None:
        """Answer the entry if it is there."""
        return self._entries.get(entry_id.int)

    def put(self, entry: TodoEntry) -> None:
        """Take in what was stored."""
        before = self._entries.pop(entry.id.int, None)
        after = None if entry.removed else entry
        if before is not None:
            self._count_tags(before, -1)
        if after is not None:
            self._entries[entry.id.int] = after
            self._count_tags(after, +1)
        for order in self._orders.values():
            order.put(before, after)
        self._texts.pop(entry.id.int, None)

    def find(self, query: TodoQuery) -> Page:
        """Answer one page of the entries that match."""
        matches = self._predicate(query)
        order = self._order(query.sort)
        entries: list[TodoEntry] = []
        following: Position | None = None
        for entry_id in order.walk(query.start, descending=query.descending):
            entry = self._entries[entry_id]
            if not matches(entry):
                continue
            if len(entries) == query.limit:
                last = entries[-1]
                following = Position(query.sort.key(last), last.id)
                break
            entries.append(entry)
        total = sum(map(matches, self._entries.values())) if query.counted else None
        return Page(entries=entries, revision=self.revision, next=following, total=total)

    def tags(self) -> Sequence[TagUse]:
        """Answer every tag in use, sorted by code point."""
        return [TagUse(tag, *uses) for tag, uses in sorted(self._tags.items())]

    def _order(self, sort: Sort) -> "_Order":
        if sort not in self._orders:
            self._orders[sort] = _Order(sort, self._entries.values())
        return self._orders[sort]

    def _count_tags(self, entry: TodoEntry, by: int) -> None:
        open_by = 0 if entry.done else by
        for tag in entry.tags:
            uses = self._tags.setdefault(tag, [0, 0])
            uses[0] += open_by
            uses[1] += by
            if not uses[1]:
                del self._tags[tag]

    def _predicate(self, query: TodoQuery) -> Callable[[TodoEntry], bool]:
        if not query.search:
            return query.matches
        wanted = fold(query.search)
        tags = {tag for tag in self._tags if fold(tag) == wanted}
        others = query.unsearched()

        def matches(entry: TodoEntry) -> bool:
            found = wanted in self._text(entry) or not tags.isdisjoint(entry.tags)
            return found and others.matches(entry)

        return matches

    def _text(self, entry: TodoEntry) -> str:
        """Content and notes, folded, parted by a character that no search may contain."""
        text = self._texts.get(entry.id.int)
        if text is None:
            text = f"{fold(entry.content)}\0{fold(entry.notes)}"
            self._texts[entry.id.int] = text
        return text


_Place = tuple[Any, int]  # a key and an id; the keys of one order are all of one type


class _Order:
    """The ids of all entries by key and id; those without a key apart, and last."""

    def __init__(self, sort: Sort, entries: Iterable[TodoEntry]) -> None:
        self._sort = sort
        self._keyed: list[_Place] = []
        self._unkeyed: list[_Place] = []
        for entry in entries:
            places, place = self._locate(sort.key(entry), entry.id)
            places.append(place)
        self._keyed.sort()
        self._unkeyed.sort()

    def put(self, before: TodoEntry | None, after: TodoEntry | None) -> None:
        if before is not None:
            places, place = self._locate(self._sort.key(before), before.id)
            del places[bisect_left(places, place)]
        if after is not None:
            places, place = self._locate(self._sort.key(after), after.id)
            insort(places, place)

    def walk(self, start: Position | None, *, descending: bool) -> Iterator[int]:
        """Answer the ids after a position, in the order or in its reverse."""
        parts = [self._keyed, self._unkeyed]
        if start is not None:
            places, place = self._locate(start.key, start.id)
            if descending:
                yield from _ids(places, reversed(range(bisect_left(places, place))))
            else:
                yield from _ids(places, range(bisect_right(places, place), len(places)))
            parts = parts[1:] if places is self._keyed else []
        for places in parts:
            numbers = range(len(places))
            yield from _ids(places, reversed(numbers) if descending else numbers)

    def _locate(self, key: SortKey, entry_id: UUID) -> tuple[list[_Place], _Place]:
        """Answer which list a place belongs to, and the place."""
        if key is None:
            return self._unkeyed, (0, entry_id.int)
        return self._keyed, (key, entry_id.int)


def _ids(places: list[_Place], numbers: Iterable[int]) -> Iterator[int]:
    return (places[number][1] for number in numbers)
