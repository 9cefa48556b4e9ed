"""The honest, naive fake: what a storage has to do, in as few lines as can be seen through."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import (
    ChangeNotFound,
    HistoryForgotten,
    ReceiptExists,
    StaleTodoEntry,
    TodoEntryNotFound,
)
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Position,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import ChangePage, TodoHistory, check_kept


class InMemoryTodoEntryRepository(TodoEntryRepository, TodoHistory):
    """The last state of every entry in a dict, and every change in a list."""

    def __init__(self) -> None:
        self._states: dict[UUID, TodoEntry] = {}
        self._changes: list[Change] = []
        self._receipts: dict[str, Receipt] = {}
        self._revision = 0
        self._begin = 0

    @property
    def history(self) -> TodoHistory:
        return self

    async def get(self, entry_id: UUID) -> TodoEntry:
        return _present(entry_id, self._states.get(entry_id))

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        return {i: state for i, state in self._states.items() if i in entry_ids}

    async def find(self, query: TodoQuery) -> Page:
        entries = {
            Position(query.sort.key(entry), entry.id): entry
            for entry in self._entries()
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

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        if receipt is not None and receipt.key in self._receipts:
            raise ReceiptExists(receipt.key)
        times_given = Counter(entry.id for entry in entries)
        stale = [
            entry.id
            for entry in entries
            if times_given[entry.id] > 1 or not entry.follows(self._states.get(entry.id))
        ]
        if stale:
            raise StaleTodoEntry(*stale)
        changes = [self._store(entry) for entry in entries]
        if receipt is not None:
            self._receipts[receipt.key] = replace(receipt, changes=changes)
        return changes

    async def receipt(self, key: str) -> Receipt | None:
        return self._receipts.get(key)

    async def tags(self) -> Sequence[TagUse]:
        entries = self._entries()
        every = Counter(tag for entry in entries for tag in entry.tags)
        still_open = Counter(tag for entry in entries if not entry.done for tag in entry.tags)
        return [TagUse(tag, still_open[tag], every[tag]) for tag in sorted(every)]

    async def check(self) -> None:
        """Nothing can keep a dict from storing."""

    async def revision(self) -> int:
        return self._revision

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        self._check_kept("since", since)
        return self._page(self._changes, since, limit)

    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        since = self._begin if since is None else since
        self._check_kept("since", since)
        changes = [change for change in self._changes if change.entry_id == entry_id]
        if not changes:
            await self.get(entry_id)
        return self._page(changes, since, limit)

    async def change(self, revision: int) -> Change:
        for change in self._changes:
            if change.revision == revision:
                return change
        if 0 < revision <= self._begin:
            raise HistoryForgotten(revision, self._begin)
        raise ChangeNotFound(revision)

    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        self._check_kept("at", revision)
        state = self._states.get(entry_id)
        for change in reversed(self._changes):
            if change.entry_id == entry_id and change.revision > revision:
                state = change.before
        return _present(entry_id, state)

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        for key, receipt in list(self._receipts.items()):
            if receipt.at < receipts_before:
                del self._receipts[key]
        while len(self._changes) > keep:
            dropped = self._changes.pop(0)
            self._begin = dropped.revision
            if self._states[dropped.entry_id] == dropped.after and dropped.after.removed:
                del self._states[dropped.entry_id]

    def _entries(self) -> list[TodoEntry]:
        return [entry for entry in self._states.values() if not entry.removed]

    def _store(self, entry: TodoEntry) -> Change:
        self._revision += 1
        after = replace(entry, revision=self._revision)
        change = Change(self._states.get(entry.id), after)
        self._states[entry.id] = after
        self._changes.append(change)
        return change

    def _check_kept(self, field: str, revision: int) -> None:
        check_kept(field, revision, begin=self._begin, last=self._revision)

    def _page(self, changes: Sequence[Change], since: int, limit: int) -> ChangePage:
        later = [change for change in changes if change.revision > since]
        return ChangePage.cut(later, limit=limit, last=self._revision)


def _present(entry_id: UUID, state: TodoEntry | None) -> TodoEntry:
    if state is None or state.removed:
        raise TodoEntryNotFound(entry_id)
    return state


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
