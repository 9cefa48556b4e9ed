"""The whole service: durable creates per second over HTTP, from 1 and 16 clients.

    python -m benchmarks.http_creates

A server process of its own, clients that keep their connection, rounds interleaved.

Bandit warns of subprocesses started from input; what is started here is the service itself.
"""

import asyncio
import json
import os
import subprocess  # nosec B404
import sys
import tempfile
from statistics import median
from time import perf_counter

import uvloop

from tests.realistic_entries import realistic_entries

CLIENTS = (1, 16)
ROUNDS = 9
REQUESTS = 1_500


async def create_all(port: int, bodies: list[bytes], clients: int) -> float:
    """Answer the rate at which so many clients create entries, one at a time each."""
    waiting = iter(bodies)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            writer.write(_HEAD % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 201 "):
                raise RuntimeError(head.decode())
            await reader.readexactly(_content_length(head))
        writer.close()
        await writer.wait_closed()

    begin = perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return len(bodies) / (perf_counter() - begin)


async def measure(port: int) -> dict[int, float]:
    """Answer the median rate for each number of clients."""
    rates: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    for number in range(ROUNDS):
        for clients in CLIENTS:
            entries = realistic_entries(REQUESTS, seed=100 * number + clients)
            bodies = [_body(entry.content, entry.notes, entry.tags) for entry in entries]
            rates[clients].append(await create_all(port, bodies, clients))
    return {clients: median(measured) for clients, measured in rates.items()}


def main() -> None:
    """Start a server, measure and print, stop the server."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "TODOAPP_STORAGE_DIR": folder,
            "TODOAPP_PORT": "0",
            "TODOAPP_LOG_LEVEL": "WARNING",
        }
        server = subprocess.Popen(  # nosec B603
            [sys.executable, "-m", "myapp.app"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            rates = uvloop.run(measure(_port(server)))
        finally:
            server.terminate()
            server.wait()
    for clients, rate in rates.items():
        ratio = rate / rates[CLIENTS[0]]
        print(f"durable creates, {clients:2} clients: {rate:7,.0f}/s ({ratio:.1f} x)")


_HEAD = (
    b"POST /todo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)


def _body(content: str, notes: str, tags: tuple[str, ...]) -> bytes:
    return json.dumps({"content": content, "notes": notes, "tags": tags}).encode()


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0])


def _port(server: subprocess.Popen[str]) -> int:
    if server.stdout is None:
        raise RuntimeError("the server's output is not captured")
    for line in server.stdout:
        if line.strip().startswith("address"):
            return int(line.rpartition(":")[2].partition("/")[0])
    raise RuntimeError("the server did not start")


if __name__ == "__main__":
    main()
