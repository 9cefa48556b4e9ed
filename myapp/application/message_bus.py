"""The message bus: what use cases have stored wakes up whoever wants to know."""

import asyncio
import logging
from asyncio import CancelledError
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable

from myapp.domain.change import Change, ChangeKind

Handler = Callable[[Change], Awaitable[None] | None]

WAITING_MOST = 10_000
"""So many changes wait for a handler; one that lags further behind loses them."""

DRAINED_WITHIN = 10.0
"""Seconds that handlers have to finish when the service ends."""

_log = logging.getLogger(__name__)


class MessageBus:
    """Hands each change to the handlers of its kind, in this process, at most once.

    Publishing never waits: every handler has its own queue, and gets one change after the
    other. Whoever must miss nothing follows the changes of the storage instead.
    """

    def __init__(self) -> None:
        self._subscriptions: list[_Subscription] = []

    def subscribe(
        self, handler: Handler, kinds: Collection[ChangeKind] = tuple(ChangeKind)
    ) -> None:
        """Let the handler have every change of these kinds that is published from now on."""
        self._subscriptions.append(_Subscription(handler, frozenset(kinds)))

    def publish(self, changes: Iterable[Change]) -> None:
        """Tell of changes that have been stored."""
        for change in changes:
            for subscription in self._subscriptions:
                subscription.put(change)

    async def drain(self, *, within: float = DRAINED_WITHIN) -> None:
        """Wait until what was published has been handled; after so many seconds, drop it."""
        try:
            async with asyncio.timeout(within):
                while handling := [s.task for s in self._subscriptions if s.task]:
                    await asyncio.wait(handling)  # which may publish more
        except TimeoutError:
            for subscription in self._subscriptions:
                subscription.drop()


class _Subscription:
    def __init__(self, handler: Handler, kinds: frozenset[ChangeKind]) -> None:
        self.task: asyncio.Task[None] | None = None
        self._handler = handler
        self._kinds = kinds
        self._waiting: deque[Change] = deque()

    def put(self, change: Change) -> None:
        if change.kind not in self._kinds:
            return
        if len(self._waiting) >= WAITING_MOST:
            self._lose_waiting()
        self._waiting.append(change)
        self.task = self.task or asyncio.create_task(self._handle_waiting())

    def drop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self._lose_waiting()

    def _lose_waiting(self) -> None:
        lost = len(self._waiting)
        _log.warning("%r is too slow: %d changes that wait are lost on it", self._handler, lost)
        self._waiting.clear()

    async def _handle_waiting(self) -> None:
        try:
            while self._waiting:
                await self._handle(self._waiting.popleft())
        finally:
            self.task = None

    async def _handle(self, change: Change) -> None:
        try:
            if (handling := self._handler(change)) is not None:
                await handling
        except (Exception, CancelledError) as error:  # its failure is nobody else's
            if isinstance(error, CancelledError) and self.task and self.task.cancelling():
                raise
            _log.exception(
                "%r failed for the %s change %d", self._handler, change.kind, change.revision
            )
