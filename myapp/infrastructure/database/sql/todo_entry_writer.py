"""Group commit: saves that come together, or while a transaction runs, share one."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from myapp.domain.change import Change
from myapp.domain.errors import StorageUnavailable, TodoError
from myapp.infrastructure.database.gathering import let_more_come
from myapp.infrastructure.database.sql.connections import (
    FAILURES,
    CommitFailed,
    Connections,
    is_lost,
)
from myapp.infrastructure.database.sql.storing import Outcome, Save, store

_ATTEMPTS = 3
_ENTRIES_AT_ONCE = 1_000  # so that the others' locks do not wait for long


@dataclass(frozen=True, slots=True)
class _Waiting:
    save: Save
    outcome: asyncio.Future[Outcome]


class TodoEntryWriter:
    """Runs one transaction at a time, for all the saves that wait when it begins.

    `commits` counts the transactions by the number of saves that shared each.
    """

    def __init__(self, connections: Connections) -> None:
        self.commits = Counter[int]()
        self._connections = connections
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def save(self, save: Save) -> Sequence[Change]:
        """Store what is to be saved and answer what that changed, once it is committed.

        With nothing to save it proves that something could be stored. Whoever gives up waiting
        does not undo the save. Raises StaleTodoEntry, ReceiptExists, StorageFull,
        StorageUnavailable; after the latter it may be stored or not.
        """
        if self._closed:
            raise StorageUnavailable("The service is shutting down.")
        waiting = _Waiting(save, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._task = self._task or asyncio.create_task(self._store_waiting())
        outcome = await waiting.outcome
        if isinstance(outcome, TodoError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Let what waits be stored."""
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _store_waiting(self) -> None:
        while self._waiting:
            await let_more_come(self._waiting)
            batch = self._next_batch()
            outcomes: Sequence[Outcome]
            try:
                outcomes = await self._store([waiting.save for waiting in batch])
            except Exception as error:  # whatever it is, nobody may wait for ever
                self._connections.log(error)
                batch, self._waiting = [*batch, *self._waiting], []  # or each waits as long
                outcomes = [self._refusal(error) for _ in batch]
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if not waiting.outcome.cancelled():
                    waiting.outcome.set_result(outcome)
        self._task = None

    def _refusal(self, error: Exception) -> TodoError:
        refusal = self._connections.refusal(error)
        refusal.__cause__ = error
        return refusal

    def _next_batch(self) -> Sequence[_Waiting]:
        """Take from those that wait, the first in any case."""
        entries = 0
        for number, waiting in enumerate(self._waiting):
            entries += len(waiting.save.entries)
            if number and entries > _ENTRIES_AT_ONCE:
                break
        else:
            number = len(self._waiting)
        batch, self._waiting = self._waiting[:number], self._waiting[number:]
        return batch

    async def _store(self, saves: Sequence[Save]) -> Sequence[Outcome]:
        """Store the saves in one transaction, tried again where it was surely undone."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._try_to_store(saves)
            except CommitFailed as failure:
                if not self._connections.dialect.is_conflict(failure.error):
                    raise
            except FAILURES as error:
                if not (is_lost(error) or self._connections.dialect.is_conflict(error)):
                    raise
        return await self._try_to_store(saves)

    async def _try_to_store(self, saves: Sequence[Save]) -> Sequence[Outcome]:
        search = self._connections.dialect.search
        outcomes = await self._connections.transact(store(saves, search))
        if stored := sum(bool(save.entries or save.receipt) for save in saves):
            self.commits[stored] += 1  # others have but looked
        return outcomes
