"""A client's connection, and when it is cut off."""

import asyncio

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_STALLED = 10
"""Seconds after which a client is cut off that has read nothing of a stream meanwhile."""


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, which cuts a client off that does not read what is streamed.

    Whether the application waits to send more or has sent all: what waits takes memory, and
    keeps the service from ending.
    """

    _answered: RequestResponseCycle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_no_more()

    def shutdown(self) -> None:
        super().shutdown()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None:
            self.cycle = self._answered  # or another request that waits would be told of it
        super().connection_lost(exc)
        self._watch_no_more()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _watch(self) -> None:
        """See in a while whether anything has been read of what waits by now."""
        self._watch_no_more()
        if self._answered is not None and self._answered.chunked_encoding:
            waiting = self.transport.get_write_buffer_size()
            self._stalled = self.loop.call_later(_STALLED, self._check, waiting)

    def _watch_no_more(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _check(self, waiting: int) -> None:
        if 0 < waiting <= self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self._watch()
