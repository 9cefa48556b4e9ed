"""A moment by which something has to have come."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `late` at the moment that was set last, once, if nothing is set until then.

    An alarm for a deadline that was put off is set anew only when it rings, since each request
    puts that of its connection off.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[], None]) -> None:
        self._loop = loop
        self._late = late
        self._moment: float | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def set(self, seconds: float | None) -> None:
        """Let it be so many seconds from now, or not at all."""
        if seconds is None:
            self._moment = None
            return
        self._moment = self._loop.time() + seconds
        if self._alarm is None or self._alarm.when() > self._moment:
            self.cancel()
            self._alarm = self._loop.call_at(self._moment, self._ring)

    def cancel(self) -> None:
        """Leave nothing behind."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        if self._moment is None:
            return
        left = self._moment - self._loop.time()
        if left > 0:
            self.set(left)
        else:
            self._moment = None
            self._late()
