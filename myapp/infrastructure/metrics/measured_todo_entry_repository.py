"""A repository, and its history, that count what they are asked and how long that takes."""

from asyncio import CancelledError
from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import TypeVar
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import TodoError
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import ChangePage, TodoHistory
from myapp.infrastructure.metrics.families import (
    OPERATION_SECONDS,
    OPERATIONS,
    Counts,
    Row,
)

T = TypeVar("T")


class MeasuredTodoEntryRepository(TodoEntryRepository):
    """Another repository, measured."""

    def __init__(self, repository: TodoEntryRepository, counts: Counts) -> None:
        self._repository = repository
        self._clock = _Stopwatch(counts)
        self._history = _MeasuredTodoHistory(repository.history, self._clock)

    @property
    def history(self) -> TodoHistory:
        return self._history

    async def get(self, entry_id: UUID) -> TodoEntry:
        return await self._clock.time("get", self._repository.get(entry_id))

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        return await self._clock.time("last_states", self._repository.last_states(entry_ids))

    async def find(self, query: TodoQuery) -> Page:
        return await self._clock.time("find", self._repository.find(query))

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        return await self._clock.time("save", self._repository.save(*entries, receipt=receipt))

    async def receipt(self, key: str) -> Receipt | None:
        return await self._clock.time("receipt", self._repository.receipt(key))

    async def tags(self) -> Sequence[TagUse]:
        return await self._clock.time("tags", self._repository.tags())

    async def check(self) -> None:
        await self._clock.time("check", self._repository.check())


class _MeasuredTodoHistory(TodoHistory):
    def __init__(self, history: TodoHistory, clock: "_Stopwatch") -> None:
        self._history = history
        self._clock = clock

    async def revision(self) -> int:
        return await self._clock.time("revision", self._history.revision())

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        return await self._clock.time("changes", self._history.changes(since, limit=limit))

    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        answer = self._history.changes_of(entry_id, since=since, limit=limit)
        return await self._clock.time("changes_of", answer)

    async def change(self, revision: int) -> Change:
        return await self._clock.time("change", self._history.change(revision))

    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        return await self._clock.time("entry_at", self._history.entry_at(entry_id, revision))

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        answer = self._history.forget(keep=keep, receipts_before=receipts_before)
        await self._clock.time("forget", answer)


class _Stopwatch:
    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._rows: dict[tuple[str, str], tuple[Row, Row]] = {}

    async def time(self, operation: str, answer: Awaitable[T]) -> T:
        """Wait for the answer, and count what came of it."""
        outcome = "failed"
        begin = perf_counter()
        try:
            result = await answer
            outcome = "ok"
            return result
        except TodoError as error:
            outcome = type(error).__name__
            raise
        except CancelledError:
            outcome = "cancelled"
            raise
        finally:
            number, seconds = self._rows.get((operation, outcome)) or self._new_rows(
                operation, outcome
            )
            number[0] += 1
            OPERATION_SECONDS.observe(seconds, perf_counter() - begin)

    def _new_rows(self, operation: str, outcome: str) -> tuple[Row, Row]:
        rows = (
            OPERATIONS.row(self._counts, operation, outcome),
            OPERATION_SECONDS.row(self._counts, operation),
        )
        self._rows[operation, outcome] = rows
        return rows
