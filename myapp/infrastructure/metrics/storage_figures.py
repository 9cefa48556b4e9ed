"""What is told of the storage when somebody asks."""

import asyncio
from collections.abc import Callable

from myapp.domain.errors import TodoError
from myapp.infrastructure.database.running_storage import RunningStorage
from myapp.infrastructure.metrics.families import (
    COMMIT_SAVES,
    DEAD_BYTES,
    ENTRIES,
    POOL_IN_USE,
    POOL_SIZE,
    POOL_TIMEOUTS,
    REVISION,
    STORAGE_BYTES,
    STORAGE_UP,
    Counts,
)

_PATIENCE = 1.0
"""Seconds for which the storage is waited for, and for which its answer does."""


class StorageFigures:
    """Asks a storage, and not again for a while, however many ask here."""

    def __init__(self, storage: RunningStorage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        self._asking = asyncio.Lock()
        self._status: Counts = {}
        self._expires = 0.0

    async def status(self) -> Counts:
        """Answer what the storage holds, or that it does not say, within a second."""
        async with self._asking:
            if self._clock() >= self._expires:
                self._status = await self._ask()
                self._expires = self._clock() + _PATIENCE
        return self._status

    def counted(self) -> Counts:
        """Answer what this process has counted of its use of the storage."""
        counts: Counts = {}
        use = self._storage.use()
        commits = COMMIT_SAVES.row(counts)
        for saves, times in use.commits.items():
            COMMIT_SAVES.observe(commits, saves, times)
        if use.pool is not None:
            POOL_TIMEOUTS.row(counts)[0] = use.pool.timeouts
        return counts

    def current(self) -> Counts:
        """Answer how this process uses the storage now."""
        counts: Counts = {}
        use = self._storage.use()
        if use.dead is not None:
            DEAD_BYTES.row(counts)[0] = use.dead
        if use.pool is not None:
            POOL_SIZE.row(counts)[0] = use.pool.size
            POOL_IN_USE.row(counts)[0] = use.pool.in_use
        return counts

    async def _ask(self) -> Counts:
        counts: Counts = {}
        up = STORAGE_UP.row(counts)
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await self._storage.status()
        except (TodoError, TimeoutError):
            return counts
        up[0] = 1
        ENTRIES.row(counts)[0] = status.entries
        REVISION.row(counts)[0] = status.revision
        STORAGE_BYTES.row(counts)[0] = status.size
        return counts
