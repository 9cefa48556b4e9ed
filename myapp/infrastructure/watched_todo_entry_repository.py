"""A repository, and its history, of which somebody watches what they are asked."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import ChangePage, TodoHistory

T = TypeVar("T")


class Watch(Protocol):
    """What stands between a storage and whoever asks it."""

    async def __call__(self, operation: str, answer: Awaitable[T]) -> T:
        """Wait for the answer to an operation, and pass on what comes of it."""


class WatchedTodoEntryRepository(TodoEntryRepository):
    """Another repository, watched."""

    def __init__(self, repository: TodoEntryRepository, watch: Watch) -> None:
        self._repository = repository
        self._watch = watch
        self._history = _WatchedTodoHistory(repository.history, watch)

    @property
    def history(self) -> TodoHistory:
        return self._history

    async def get(self, entry_id: UUID) -> TodoEntry:
        return await self._watch("get", self._repository.get(entry_id))

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        return await self._watch("last_states", self._repository.last_states(entry_ids))

    async def find(self, query: TodoQuery) -> Page:
        return await self._watch("find", self._repository.find(query))

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        return await self._watch("save", self._repository.save(*entries, receipt=receipt))

    async def receipt(self, key: str) -> Receipt | None:
        return await self._watch("receipt", self._repository.receipt(key))

    async def tags(self) -> Sequence[TagUse]:
        return await self._watch("tags", self._repository.tags())

    async def check(self) -> None:
        await self._watch("check", self._repository.check())


class _WatchedTodoHistory(TodoHistory):
    def __init__(self, history: TodoHistory, watch: Watch) -> None:
        self._history = history
        self._watch = watch

    async def revision(self) -> int:
        # Not watched: it is asked for 20 times a second as long as anybody follows changes.
        return await self._history.revision()

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        return await self._watch("changes", self._history.changes(since, limit=limit))

    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        answer = self._history.changes_of(entry_id, since=since, limit=limit)
        return await self._watch("changes_of", answer)

    async def change(self, revision: int) -> Change:
        return await self._watch("change", self._history.change(revision))

    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        return await self._watch("entry_at", self._history.entry_at(entry_id, revision))

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        answer = self._history.forget(keep=keep, receipts_before=receipts_before)
        await self._watch("forget", answer)
