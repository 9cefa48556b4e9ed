"""Whether a client takes what it is sent."""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable

_SLOWEST = 1_024  # bytes a second: who reads less is held not to read


class Delivery:
    """Cuts a connection off whose client does not read, and calls `stalled` then.

    Whether the application waits to send more or has sent all: what waits takes memory, and
    keeps the service from ending.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        timeout: float,
        stalled: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._timeout = timeout
        self._stalled = stalled
        self._next_look: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """See in a while whether enough has been read of what waits by now."""
        self.watch_no_more()
        if self._transport.get_write_buffer_size() > 0:
            waiting = self._waiting()
            self._next_look = self._loop.call_later(self._timeout, self._look, waiting)

    def watch_no_more(self) -> None:
        """Leave the client alone."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    def _look(self, before: int) -> None:
        if before - self._waiting() < max(1, _SLOWEST * self._timeout):
            self._stalled()
            self._transport.abort()
        else:
            self.watch()

    def _waiting(self) -> int:
        """Answer the bytes that the client has not acknowledged."""
        connection = self._transport.get_extra_info("socket")
        (in_system,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
        size: int = self._transport.get_write_buffer_size() + in_system
        return size
