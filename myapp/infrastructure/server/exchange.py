"""A request and its answer, on a connection."""

from typing import Any

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from myapp.infrastructure.api.problems import Rejection
from myapp.infrastructure.server.outgoing import Outgoing

_WITHOUT_BODY = (204, 304)
_PRINTED = bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100)) + b"\t"


class Exchange(RequestResponseCycle):
    """Uvicorn's, whose request may be refused while the application waits for its body.

    It leaves it to the connection to close itself after the last answer: `is_last`.
    """

    transport: Outgoing
    is_last = False
    expects_more = True
    _ends_by_closing = False
    _head = b""  # until it is sent
    _rejection: Rejection | None = None

    def refuse(self, rejection: Rejection) -> None:
        """Let the application answer this, if it wants more of the body, and nothing after."""
        self._rejection = rejection
        self.keep_alive = False
        self.message_event.set()

    def expect_no_more(self) -> None:
        """Let the application, once it has what has come, take the client for gone."""
        self.expects_more = False
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """Answer what comes next; raises Rejection."""
        if not self.expects_more and not self.message_event.is_set():
            return {"type": "http.disconnect"}
        if self._rejection is None:
            message = await super().receive()
        if self._rejection is None:
            return message
        if self.response_started or self.disconnected:
            return {"type": "http.disconnect"}
        raise self._rejection

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application answers."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._send_head(message)
        elif not self.response_complete:
            self._send_body(message)

    def _send_head(self, message: Any) -> None:  # one of many kinds of typed dictionaries
        status: int = message["status"]
        fields: list[tuple[bytes, bytes]] = [*self.default_headers, *message["headers"]]
        # A client that was not told to send its body may send it yet, or not.
        self.keep_alive = self.keep_alive and not self.waiting_for_100_continue
        self.waiting_for_100_continue = False
        self.response_started = True
        length = dict(fields).get(b"content-length")
        has_body = self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY
        is_open_ended = length is None and has_body
        self.chunked_encoding = is_open_ended and self.scope["http_version"] == "1.1"
        self._ends_by_closing = is_open_ended and not self.chunked_encoding
        self.expected_content_length = int(length) if length and has_body else 0
        if self.chunked_encoding:
            fields.append((b"transfer-encoding", b"chunked"))
        if not self.keep_alive:
            fields.append((b"connection", b"close"))
        self._head = _head(status, fields)
        if is_open_ended:  # and may begin much later
            self._write(b"")

    def _send_body(self, message: Any) -> None:
        body: bytes = message.get("body", b"")
        is_complete = not message.get("more_body", False)
        if self.chunked_encoding:
            end = b"0\r\n\r\n" if is_complete else b""
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write(chunk + end)
        elif self.scope["method"] == "HEAD":
            self._write(b"")
        elif self._ends_by_closing:
            self._write(body)
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (
                is_complete and self.expected_content_length
            ):
                raise RuntimeError("The content is not as long as its Content-Length.")
            self._write(body, is_end=is_complete)
        if is_complete:
            self.is_last = not self.keep_alive
            self.response_complete = True
            self.message_event.set()
            self.on_response()

    def _write(self, content: bytes, *, is_end: bool = False) -> None:
        """Write what is left of the head, and some of the content.

        To write them apart would be another call of the system, a twentieth of a get's time.
        """
        write = self.transport.write_end if is_end else self.transport.write
        write(self._head + content)
        self._head = b""


def _head(status: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    """Answer the head of a response; raises RuntimeError if a field is more than one line."""
    head = b"\r\n".join([STATUS_LINE[status][:-2], *map(b": ".join, fields), b"\r\n"])
    if head.translate(None, _PRINTED) != b"\r\n" * (len(fields) + 2):
        raise RuntimeError(f"These cannot be the header fields of a response: {fields}")
    return head
