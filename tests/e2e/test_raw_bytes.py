"""Whatever bytes come over a connection, what goes back is HTTP, and the service lives on.

RAW_CONNECTIONS sets how many are opened, RAW_SEED which bytes they bring.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from random import Random

from tests.e2e.running_server import Launcher

_CONNECTIONS = int(os.environ.get("RAW_CONNECTIONS", "1000"))
_SEED = int(os.environ.get("RAW_SEED", "1"))
_AT_ONCE = 50
_PATIENCE = 30

_LIMITS = {
    "TODOAPP_HEADER_TIMEOUT": "0.3",
    "TODOAPP_BODY_TIMEOUT": "0.3",
    "TODOAPP_KEEP_ALIVE_TIMEOUT": "0.3",
    "TODOAPP_MAX_HEADER_BYTES": "8000",
    "TODOAPP_MAX_BODY_BYTES": "20000",
}
_CONTENT = "sent as raw bytes"
_BODY = b'{"content": "%s"}' % _CONTENT.encode()
_ID = b"01936d3a-0000-7000-8000-000000000001"

_LINES = [
    b"GET /todo HTTP/1.1\r\n",
    b"GET /todo/%s HTTP/1.1\r\n" % _ID,
    b"HEAD /docs HTTP/1.1\r\n",
    b"PUT /todo/%s HTTP/1.1\r\n" % _ID,
    b"POST /todo HTTP/1.1\r\n",
    b"PATCH /todo/%s HTTP/1.0\r\n" % _ID,
    b"DELETE /todo/%s/tags/a%%2Fb HTTP/1.1\r\n" % _ID,
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://localhost/todo HTTP/1.1\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"BREW /todo HTTP/1.1\r\n",
    b"GET /todo\r\n",
]
_HEADERS = [
    b"Host: localhost\r\n",
    b"Host: localhost, other\r\n",
    b"Content-Type: application/json\r\n",
    b"Content-Length: %d\r\n" % len(_BODY),
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"If-Match: \xff\r\n",
    b"Idempotency-Key: \x00\r\n",
    b"X-Request-Id: a\rb\nc\r\n",
    b" folded\r\n",
    b"Cookie: " + b"a" * 9_000 + b"\r\n",
    b"".join(b"X-%d: 1\r\n" % number for number in range(300)),
]
_BODIES = [
    _BODY,
    b"%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY),
    b"%x;a=b\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(_BODY), _BODY),
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\nGET /todo HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"{" * 30_000,
    b"",
]


async def test_whatever_bytes_come_what_goes_back_is_http(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | _LIMITS)
    random = Random(_SEED)
    sent = [_bytes(random) for _ in range(_CONNECTIONS)]
    connections = iter(sent)

    async def send_all() -> None:
        for pieces in connections:
            _check(pieces, await _exchange(server.port, pieces))

    await asyncio.wait_for(
        asyncio.gather(*(send_all() for _ in range(_AT_ONCE))), _PATIENCE + _CONNECTIONS
    )

    with server.client as client:
        entries = client.get("/todo?limit=1000").raise_for_status().json()
    contents = {entry["content"] for entry in entries}
    assert _CONTENT in contents, "some of it was right, and stored"
    for content in contents - {_CONTENT}:  # a byte of it was another, which is right, too
        assert any(content.encode() in b"".join(pieces) for pieces in sent), content
    ended = server.stop()
    assert ended.code == 0
    assert "Traceback" not in ended.err


def _bytes(random: Random) -> list[bytes]:
    """Answer pieces of some requests one after the other, most of them wrong somewhere."""
    data = b"".join(_request(random) for _ in range(random.randint(1, 3)))
    for _ in range(random.choice((0, 0, 1, 1, 5))):
        data = random.choice(_WRONGS)(random, data)
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 1, 3))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _request(random: Random) -> bytes:
    headers = random.sample(_HEADERS, random.choice((0, 1, 2, 3)))
    if random.random() < 0.8:
        headers.insert(0, _HEADERS[0])
    if random.random() < 0.3:
        return b"".join([_LINES[4], *_HEADERS[2:4], *headers, b"\r\n", _BODY])
    return b"".join([random.choice(_LINES), *headers, b"\r\n", random.choice(_BODIES)])


def _flip(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) or 1)
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _repeat(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    piece = data[at : at + random.randrange(40)]
    return data[:at] + piece * random.choice((2, 3, 300)) + data[at:]


def _leave_out(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.randrange(40) :]


_WRONGS: tuple[Callable[[Random, bytes], bytes], ...] = (_flip, _cut, _repeat, _leave_out)


async def _exchange(port: int, pieces: list[bytes]) -> bytes:
    """Answer all that comes back until the service ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = bytearray()

    async def read() -> None:
        while data := await reader.read(65_536):
            answered.extend(data)

    reading = asyncio.ensure_future(read())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if len(pieces) > 1:  # or it waits until the service ends the connection
            writer.write_eof()
        await asyncio.wait_for(reading, _PATIENCE)
    except ConnectionError:  # it has ended the connection while more was sent
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    finally:
        writer.close()
    return bytes(answered)


def _check(pieces: list[bytes], answered: bytes) -> None:
    for status, is_problem, body in _responses(answered):
        told = f"{pieces!r:.3000} was answered by {answered!r:.2000}"
        assert status < 500, told
        if status >= 400:
            assert is_problem, told
            assert not body or json.loads(body)["status"] == status, told  # none is HEAD's


def _responses(answered: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Answer the status of each response, whether it is a problem, and its whole content."""
    while answered:
        head, is_whole, rest = answered.partition(b"\r\n\r\n")
        if not is_whole:
            return  # the connection was reset
        assert head.startswith(b"HTTP/1.1 "), head
        status = int(head[9:12])
        names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(names.get(b"content-length", 0))
        if rest.startswith(b"HTTP/1.1 "):  # HEAD has a length, and no content
            length = 0
        yield status, names.get(b"content-type") == b"application/problem+json", rest[:length]
        answered = rest[length:]
