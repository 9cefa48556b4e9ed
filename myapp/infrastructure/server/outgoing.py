"""What a connection sends, and when."""

import asyncio
from collections.abc import Sized

_FEW = 2


class Outgoing(asyncio.Transport):
    """Sends in order what it is given; while there are several requests, answers together.

    To send to a client that sleeps takes longer, for it has to be woken, and it sleeps again
    before the next answer is made: for sixteen, entries took a quarter longer. Where there are
    few requests, who gets an answer at once asks again while the others are served.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, requests: Sized
    ) -> None:
        super().__init__()
        self._loop = loop
        self._transport = transport
        self._requests = requests
        self._waiting = b""

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send this."""
        self._send_waiting()
        self._transport.write(data)

    def write_end(self, data: bytes) -> None:
        """Send the end of an answer, with those of others once the event loop has turned."""
        if len(self._requests) <= _FEW:
            self.write(data)
            return
        if not self._waiting:
            self._loop.call_soon(self._send_waiting)
        self._waiting += data

    def write_eof(self) -> None:
        """Send nothing more."""
        self._send_waiting()
        self._transport.write_eof()

    def close(self) -> None:
        """Close the connection once all is sent."""
        self._send_waiting()
        self._transport.close()

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, b""
        if waiting and not self.is_closing():
            self._transport.write(waiting)
