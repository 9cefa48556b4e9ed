"""Readiness: whether the service can do its work now, told to whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from myapp.domain.errors import StorageFull, StorageUnavailable

PROBED_EVERY = 1.0
"""Seconds that an answer of the storage holds, whoever asks meanwhile."""

PROBED_FOR = 5.0
"""Seconds after which a storage that has not answered is taken to be unavailable."""


class ServiceStopping(Exception):
    """The service is about to end, and takes no more work."""


class Readiness:
    """Knows whether a change could be stored, at the cost of one probe for all who ask.

    `probe` raises StorageUnavailable or StorageFull. While it does not answer at all no
    other is begun.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], float] = monotonic,
        patience: float = PROBED_FOR,
    ) -> None:
        self._probe = probe
        self._clock = clock
        self._patience = patience
        self._stopping = False
        self._probing: asyncio.Task[StorageUnavailable | StorageFull | None] | None = None
        self._expires = 0.0

    def stop(self) -> None:
        """Be ready no more, since the service is about to end."""
        self._stopping = True

    async def check(self) -> None:
        """Raise ServiceStopping, StorageUnavailable or StorageFull unless it is ready."""
        if not self._stopping:
            await self._check_storage()
        if self._stopping:
            raise ServiceStopping

    async def _check_storage(self) -> None:
        if self._probing is None or (self._probing.done() and self._clock() >= self._expires):
            self._probing = asyncio.create_task(self._found())
        # Nobody who goes away takes the probe along, which others may wait for.
        await asyncio.wait([self._probing], timeout=self._patience)
        if not self._probing.done():
            raise StorageUnavailable("The storage does not answer.")
        if (error := self._probing.result()) is not None:
            raise error.with_traceback(None)  # or each who asks would lengthen it

    async def _found(self) -> StorageUnavailable | StorageFull | None:
        try:
            await self._probe()
        except (StorageUnavailable, StorageFull) as error:
            return error
        else:
            return None
        finally:
            self._expires = self._clock() + PROBED_EVERY
