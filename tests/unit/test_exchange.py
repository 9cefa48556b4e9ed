"""What the server sends of an answer."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl

from myapp.infrastructure.server.exchange import Exchange
from myapp.infrastructure.server.outgoing import Outgoing, Turns

Field = tuple[bytes, bytes]


_SCOPE: HTTPScope = {
    "type": "http",
    "asgi": {"spec_version": "2.3", "version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [],
    "client": None,
    "server": None,
}


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))


def _exchange(transport: _Transport, method: str = "GET", version: str = "1.1") -> Exchange:
    log = logging.getLogger(__name__)
    scope = _SCOPE.copy()
    scope["method"], scope["http_version"] = method, version
    return Exchange(
        scope=scope,
        transport=Outgoing(asyncio.get_running_loop(), transport, Turns()),
        flow=FlowControl(transport),
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )


async def _sent(fields: Sequence[Field]) -> bytes:
    """Answer what is sent of an empty answer with these header fields."""
    transport = _Transport()
    exchange = _exchange(transport)
    headers = [*fields, (b"content-length", b"0")]
    try:
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        assert transport.writes in ([], [_head(headers)])
    return b"".join(transport.writes)


def _head(fields: Sequence[Field]) -> bytes:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    return b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"


@pytest.mark.parametrize("value", [b"", b"17", b"a\tb", b"\xc3\xbc", bytes(range(0x20, 0x7F))])
async def test_a_field_is_sent_as_it_is(value: bytes) -> None:
    assert (b"etag: %b\r\n" % value) in await _sent([(b"etag", value)])


@pytest.mark.parametrize(
    "value",
    [b"a\r\nb: c", b"a\nb", b"a\rb", b"\r\n", b"a\r\n", b"\n\r", b"a\x00b", b"\x7f", b"\x1b"],
)
@pytest.mark.parametrize("place", [0, 1])
async def test_a_field_that_would_be_another_line_is_not_sent(value: bytes, place: int) -> None:
    field = (b"etag", value) if place else (value, b"17")
    with pytest.raises(RuntimeError, match="header fields"):
        await _sent([(b"vary", b"Origin"), field])


async def test_line_feeds_in_one_field_do_not_make_up_for_those_of_another() -> None:
    with pytest.raises(RuntimeError, match="header fields"):
        await _sent([(b"a", b"\r"), (b"b", b"\n")])


@pytest.mark.parametrize(("method", "content"), [("GET", b"milk"), ("HEAD", b"")])
async def test_head_and_content_are_sent_together(method: str, content: bytes) -> None:
    transport = _Transport()
    exchange = _exchange(transport, method)
    headers = [(b"content-length", b"4")]

    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    assert not transport.writes
    await exchange.send({"type": "http.response.body", "body": content, "more_body": False})

    assert transport.writes == [_head(headers) + content]


async def test_what_comes_in_pieces_is_sent_as_it_comes() -> None:
    transport = _Transport()
    exchange = _exchange(transport)
    headers = [(b"content-length", b"4")]

    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    await exchange.send({"type": "http.response.body", "body": b"mi", "more_body": True})
    assert transport.writes == [_head(headers) + b"mi"]
    await exchange.send({"type": "http.response.body", "body": b"lk", "more_body": False})

    assert transport.writes == [_head(headers) + b"mi", b"lk"]


async def test_the_head_of_a_stream_does_not_wait_for_its_content() -> None:
    transport = _Transport()
    exchange = _exchange(transport)

    await exchange.send({"type": "http.response.start", "status": 200, "headers": []})

    assert transport.writes == [_head([(b"transfer-encoding", b"chunked")])]


@pytest.mark.parametrize("content", [b"mil", b"milky"])
async def test_content_of_another_length_is_not_begun(content: bytes) -> None:
    transport = _Transport()
    exchange = _exchange(transport)
    headers = [(b"content-length", b"4")]

    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    with pytest.raises(RuntimeError, match="Content-Length"):
        await exchange.send({"type": "http.response.body", "body": content, "more_body": False})

    assert not transport.writes


@pytest.mark.parametrize(
    ("version", "content"),
    [("1.1", b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"), ("1.0", b"ab")],
)
async def test_an_answer_of_unknown_length_has_chunks_if_the_client_knows_them(
    version: str, content: bytes
) -> None:
    transport = _Transport()
    exchange = _exchange(transport, version=version)
    await exchange.send({"type": "http.response.start", "status": 200, "headers": []})
    head = b"".join(transport.writes)
    await exchange.send({"type": "http.response.body", "body": b"a", "more_body": True})
    await exchange.send({"type": "http.response.body", "body": b"b", "more_body": False})
    assert (b"transfer-encoding: chunked\r\n" in head) is (version == "1.1")
    assert b"".join(transport.writes) == head + content
