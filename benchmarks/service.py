"""A service to be measured, in a process of its own, and a client that costs little itself.

Bandit warns of subprocesses started from input; what is started here is the service itself.
"""

import asyncio
import os
import subprocess  # nosec B404
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self


class Service(NamedTuple):
    """A process, and the port that it listens on."""

    pid: int
    port: int

    def memory(self) -> int:
        """Answer the bytes of memory that are its own by now."""
        for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1_024
        raise RuntimeError("the kernel does not tell")

    def descriptors(self) -> int:
        """Answer how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@contextmanager
def serving(url: str, settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Start a service on a storage, with TODOAPP_* variables if any, and stop it in the end.

    Unless told otherwise it does not log requests.
    """
    environment = os.environ | {
        "TODOAPP_STORAGE_URL": url,
        "TODOAPP_PORT": "0",
        "TODOAPP_LOG_LEVEL": "WARNING",
        **(settings or {}),
    }
    # A command of this very service, with nothing from outside in it.
    process = subprocess.Popen(  # nosec B603
        [sys.executable, "-m", "myapp.app"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Service(process.pid, _port(process))
    finally:
        process.terminate()
        process.wait()


class Answer(NamedTuple):
    """A status, the head in lower case, and the body."""

    status: int
    head: bytes
    body: bytes


class Client:
    """One connection, which is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Answer a client of the service on this port."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def request(self, method: str, target: str, body: bytes = b"") -> Answer:
        """Answer what the service answers; a body is JSON."""
        self._writer.write(request(method, target, body))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, has_length, rest = head.partition(b"content-length:")
        length = int(rest.split(b"\r\n", 1)[0]) if has_length else 0
        in_chunks = b"transfer-encoding: chunked" in head
        body = await (self._chunks() if in_chunks else self._reader.readexactly(length))
        return Answer(int(head[9:12]), head, body)

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        await self._writer.wait_closed()

    async def _chunks(self) -> bytes:
        """Answer a body whose length was not told (RFC 9112, 7.1)."""
        body = b""
        while length := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(length)
            await self._reader.readline()
        await self._reader.readline()
        return body


def request(method: str, target: str, body: bytes = b"") -> bytes:
    """Answer a request as it is sent; a body is JSON."""
    content = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n".encode("ascii")
    return head + (content if body else b"") + b"\r\n" + body


def _port(process: subprocess.Popen[str]) -> int:
    if process.stdout is None:
        raise RuntimeError("the service's output is not captured")
    for line in process.stdout:
        if line.strip().startswith("address"):
            return int(line.rpartition(":")[2].partition("/")[0])
    raise RuntimeError("the service did not start")
