"""Requests as bytes on a socket, right or wrong, and what comes back."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any  # a JSON document

from tests.e2e.running_server import PATIENCE, RunningServer

JSON = b"Content-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; of header fields of the same name, the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """The last part of the type of the problem that it is; fails if it is none."""
        assert self.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = json.loads(self.body)
        assert problem["status"] == self.status
        return str(problem["type"]).removeprefix("/problems/")


@contextmanager
def connected(server: RunningServer) -> Iterator[socket.socket]:
    """Answer a connection to the server; whatever it waits for may take PATIENCE."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def head(request_line: str, *fields: str, host: str = "localhost") -> bytes:
    """Answer the head of a request; without a host there is no such field."""
    lines = [f"{request_line} HTTP/1.1", *([f"Host: {host}"] if host else []), *fields]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def post(body: bytes, *fields: str, host: str = "localhost") -> bytes:
    """Answer a request to add an entry."""
    described = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return head("POST /todo", *described, *fields, host=host) + body


def exchange(server: RunningServer, *parts: bytes) -> list[Answer]:
    """Send the parts, and answer all answers until the server closes the connection."""
    with connected(server) as connection:
        for part in parts:
            connection.sendall(part)
        return list(answers(read_all(connection)))


def read_all(connection: socket.socket) -> bytes:
    """Answer what comes until the other side closes the connection, or cuts it off."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return bytes(received)


def read_answer(connection: socket.socket) -> Answer:
    """Answer the next answer, and read no further."""
    received = bytearray()
    while True:
        byte = connection.recv(1)
        assert byte, f"the connection was closed after {bytes(received)!r}"
        received += byte
        if received.endswith(b"\r\n\r\n"):
            break
    length = _headers(bytes(received))[1].get("content-length", "0")
    end = len(received) + int(length)
    while len(received) < end:
        received += connection.recv(end - len(received))
    (answer,) = answers(bytes(received))
    return answer


def answers(received: bytes) -> Iterator[Answer]:
    """Answer what the bytes are, which have to be whole answers of known lengths."""
    while received:
        answer_head, end, received = received.partition(b"\r\n\r\n")
        assert end, f"a head that breaks off: {answer_head!r}"
        status, headers = _headers(answer_head)
        length = int(headers.get("content-length", "0"))
        assert len(received) >= length, "a body that breaks off"
        yield Answer(status, headers, received[:length])
        received = received[length:]


def _headers(answer_head: bytes) -> tuple[int, dict[str, str]]:
    status_line, *lines = answer_head.decode("latin-1").strip().split("\r\n")
    version, status, *_ = status_line.split(" ")
    assert version == "HTTP/1.1"
    fields = (line.partition(": ") for line in lines)
    return int(status), {name.lower(): value for name, _, value in fields}
