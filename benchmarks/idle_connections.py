"""What clients that do nothing, or too little, cost those that are served meanwhile.

    python -m benchmarks.idle_connections [IDLE] [SLOW]

A service of its own on the pickle storage. 16 clients get, list, change and create, one request
after another, alone at first, then while so many connections are idle, then while so many slow
clients are there as well: a third sends a byte of a head each second, a third a byte of a
body, a third asks for much and reads none of it. Slow ones that are cut off come again. Rounds
are interleaved with ones without any of them, medians of all requests are reported.
"""

import asyncio
import json
import resource
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import uvloop

from benchmarks.service import Client, Service, request, serving
from myapp.infrastructure.database.storage import open_storage
from tests.realistic_entries import realistic_entries

IDLE, SLOW = 10_000, 100
CLIENTS = 16
ENTRIES = 1_000
ROUNDS = 5
SECONDS = 5.0
SEND_TIMEOUT = 10
AT_ONCE = 200
"""So many connections are opened side by side."""

_HEAD = request("GET", "/todo")[:-2]
_BODY = request("POST", "/todo", b'{"content": "' + b"a" * 900 + b'"}')
_MUCH = request("GET", "/todo?limit=1000")


class Measured(NamedTuple):
    """The seconds that each request took, and the memory and descriptors of the service."""

    seconds: list[float]
    memory: int
    descriptors: int


async def measure(service: Service, ids: list[str]) -> Measured:
    """Answer what the clients saw in a while."""
    seconds: list[float] = []
    end = perf_counter() + SECONDS

    async def work(number: int) -> None:
        client = await Client.connect(service.port)
        for entry_id in cycle(ids[number::CLIENTS]):
            for method, target, body in _requests(entry_id):
                begin = perf_counter()
                answer = await client.request(method, target, body)
                seconds.append(perf_counter() - begin)
                if answer.status not in (200, 201):
                    raise RuntimeError(answer.body.decode())
            if perf_counter() > end:
                break
        await client.close()

    await asyncio.gather(*(work(number) for number in range(CLIENTS)))
    return Measured(seconds, service.memory(), service.descriptors())


@asynccontextmanager
async def idle(port: int, number: int) -> AsyncIterator[None]:
    """Hold so many connections that have asked for something once, and then for nothing."""
    opened: list[Client] = []
    for start in range(0, number, AT_ONCE):
        coming = range(min(AT_ONCE, number - start))
        opened += await asyncio.gather(*(Client.connect(port) for _ in coming))
        asked = opened[start:]
        await asyncio.gather(*(client.request("GET", "/health/live") for client in asked))
    try:
        yield
    finally:
        for client in opened:
            with suppress(ConnectionError):
                await client.close()


@asynccontextmanager
async def slow(port: int, number: int) -> AsyncIterator[None]:
    """Keep so many slow clients, which come again when they are cut off."""
    ways = (_send_head, _send_body, _read_nothing)
    tasks = [asyncio.create_task(_again(ways[i % 3], port)) for i in range(number)]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again(way: Callable[[int], Coroutine[None, None, None]], port: int) -> None:
    while True:
        with suppress(ConnectionError):
            await way(port)
        await asyncio.sleep(0.1)


async def _send_head(port: int) -> None:
    await _drip(port, _HEAD, 10)


async def _send_body(port: int) -> None:
    await _drip(port, _BODY, len(_BODY) - 900)


async def _drip(port: int, data: bytes, at_once: int) -> None:
    """Send the first bytes at once, and a byte each second from there on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data[:at_once])
    for position in range(at_once, len(data)):
        try:
            if not await asyncio.wait_for(reader.read(1_024), 1):
                break
        except TimeoutError:
            writer.write(data[position : position + 1])
    writer.close()


async def _read_nothing(port: int) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, _MUCH)
        await asyncio.sleep(2 * SEND_TIMEOUT)


async def fill(url: str) -> list[str]:
    """Store entries, and answer their ids."""
    entries = list(realistic_entries(ENTRIES))
    async with open_storage(url) as repository:
        await repository.save(*entries)
    return [str(entry.id) for entry in entries]


async def compare(service: Service, ids: list[str], idlers: int, slowest: int) -> None:
    """Do the rounds, and print the table."""
    names = ("alone", f"{idlers:,} idle", f"{idlers:,} idle, {slowest:,} slow")
    rounds: dict[str, list[Measured]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        rounds[names[0]].append(await measure(service, ids))
        async with idle(service.port, idlers):
            rounds[names[1]].append(await measure(service, ids))
            async with slow(service.port, slowest):
                rounds[names[2]].append(await measure(service, ids))
    head = ("requests/s", "median", "99 %", "99.9 %", "memory", "descriptors")
    print("".ljust(28) + "".join(f"{name:>14}" for name in head))
    for name in names:
        _show(name, rounds[name])


def _show(name: str, rounds: list[Measured]) -> None:
    seconds = [one for measured in rounds for one in measured.seconds]
    points = quantiles(seconds, n=1_000)
    told = (
        f"{len(seconds) / SECONDS / ROUNDS:,.0f}",
        *(f"{points[at - 1] * 1e3:.1f} ms" for at in (500, 990, 999)),
        f"{max(measured.memory for measured in rounds) / 1e6:.0f} MB",
        f"{max(measured.descriptors for measured in rounds):,}",
    )
    print(name.ljust(28) + "".join(f"{value:>14}" for value in told), flush=True)


def _requests(entry_id: str) -> tuple[tuple[str, str, bytes], ...]:
    title = json.dumps({"notes": f"seen {perf_counter()}"}).encode()
    return (
        ("GET", f"/todo/{entry_id}", b""),
        ("GET", "/todo?limit=50", b""),
        ("PATCH", f"/todo/{entry_id}", title),
    )


def main(idlers: int, slowest: int) -> None:
    """Measure with so many of both."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with TemporaryDirectory() as folder:
        url = f"pickle:///{folder}"
        ids = asyncio.run(fill(url))
        kept = {
            "TODOAPP_KEEP_ALIVE_TIMEOUT": "600",
            "TODOAPP_MAX_CONNECTIONS": "16384",
            "TODOAPP_SEND_TIMEOUT": str(SEND_TIMEOUT),
        }
        with serving(url, kept) as service:
            uvloop.run(compare(service, ids, idlers, slowest))


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[1:]]
    main(*(numbers + [IDLE, SLOW][len(numbers) :]))
