"""The honest, naive fake: what a storage has to do, in as few lines as can be seen through."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from myapp.domain.errors import StaleTodoEntry, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Position,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)


class InMemoryTodoEntryRepository(TodoEntryRepository):
    """Entries in a dict; what is removed is gone, and only its revision stays used."""

    def __init__(self) -> None:
        self._entries: dict[UUID, TodoEntry] = {}
        self._revision = 0

    async def get(self, entry_id: UUID) -> TodoEntry:
        if entry_id not in self._entries:
            raise TodoEntryNotFound(entry_id)
        return self._entries[entry_id]

    async def find(self, query: TodoQuery) -> Page:
        entries = {
            Position(query.sort.key(entry), entry.id): entry
            for entry in self._entries.values()
            if query.matches(entry)
        }
        rest = _in_order(entries, query)
        if query.start is not None:
            order = _in_order({*entries, query.start}, query)
            rest = order[order.index(query.start) + 1 :]
        page = rest[: query.limit]
        return Page(
            entries=[entries[position] for position in page],
            revision=self._revision,
            next=page[-1] if len(page) < len(rest) else None,
            total=len(entries) if query.counted else None,
        )

    async def save(self, *entries: TodoEntry) -> Sequence[TodoEntry]:
        times_given = Counter(entry.id for entry in entries)
        stale = [
            entry.id
            for entry in entries
            if entry.revision != self._stored_revision(entry.id) or times_given[entry.id] > 1
        ]
        if stale:
            raise StaleTodoEntry(*stale)
        return [self._store(entry) for entry in entries]

    async def tags(self) -> Sequence[TagUse]:
        entries = self._entries.values()
        every = Counter(tag for entry in entries for tag in entry.tags)
        still_open = Counter(tag for entry in entries if not entry.done for tag in entry.tags)
        return [TagUse(tag, still_open[tag], every[tag]) for tag in sorted(every)]

    async def check(self) -> None:
        """Nothing can keep a dict from storing."""

    def _stored_revision(self, entry_id: UUID) -> int:
        return self._entries[entry_id].revision if entry_id in self._entries else 0

    def _store(self, entry: TodoEntry) -> TodoEntry:
        self._revision += 1
        stored = replace(entry, revision=self._revision)
        if stored.removed_at is None:
            self._entries[stored.id] = stored
        else:
            self._entries.pop(stored.id, None)
        return stored


def _in_order(positions: Iterable[Position], query: TodoQuery) -> list[Position]:
    """Sort by key and id, or the other way round, those without a key last either way."""

    def place(position: Position) -> Any:  # the keys of one order are all of one type
        return position.key, position.id

    with_key = [position for position in positions if position.key is not None]
    without_key = [position for position in positions if position.key is None]
    return [
        *sorted(with_key, key=place, reverse=query.descending),
        *sorted(without_key, key=place, reverse=query.descending),
    ]
