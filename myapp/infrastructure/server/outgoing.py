"""What a connection sends, and when."""

import asyncio


class Turns:
    """The turns of an event loop, in each of which one answer is the first."""

    _is_taken = False

    def take_first(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Answer whether nobody was the first before in this turn of the loop."""
        if self._is_taken:
            return False
        self._is_taken = True
        loop.call_soon(self._begin)
        return True

    def _begin(self) -> None:
        self._is_taken = False


class Outgoing(asyncio.Transport):
    """Sends in order what it is given: the first answer of a turn at once, the others together.

    To send to a client that sleeps takes longer, for it has to be woken, and it sleeps again
    before the next answer is made: for sixteen, entries took a quarter longer. Who gets the
    first at once asks again while the others are served.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, turns: Turns
    ) -> None:
        super().__init__()
        self._loop = loop
        self._transport = transport
        self._turns = turns
        self._waiting = b""

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send this."""
        self._send_waiting()
        self._transport.write(data)

    def write_end(self, data: bytes) -> None:
        """Send the end of an answer, at once or as soon as the event loop has turned."""
        if self._turns.take_first(self._loop):
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
