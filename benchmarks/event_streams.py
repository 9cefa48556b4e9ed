"""The event streams: what they take, and how long an event is on its way to all of them.

    python -m benchmarks.event_streams [STREAMS]

Server processes of their own on 127.0.0.1, and one client process, which posts an entry, waits
until every stream has the event and a moment longer, and posts the next one. Delays count
from the answer of the POST. Where two processes share a database, all streams are open on the
one and the entries are posted to the other. PostgreSQL runs on this machine, with fsync as by
default.
"""

import asyncio
import resource
import sys
from contextlib import ExitStack
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import uvloop

from benchmarks.service import Client, Service, request, serving
from myapp.infrastructure.database.storage import open_archive
from tests.postgresql_server import running_postgresql

STREAMS = 1_000
EVENTS = 50
PAUSE = 0.1
PATIENCE = 60

_BODY = b'{"content": "buy oat milk", "tags": ["home", "shop"]}'


class Measured(NamedTuple):
    """The memory of the server without streams and with them; the delays in seconds."""

    before: int
    after: int
    delays: list[float]


class Streams:
    """Streams that are open, and when they were last told something."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._told: list[float] = []
        self._all_told = asyncio.Event()

    def tell(self) -> None:
        """Take down that one stream is told something now."""
        self._told.append(perf_counter())
        if len(self._told) == self._number:
            self._all_told.set()

    async def all_told(self) -> list[float]:
        """Answer when each was told the same thing, once all are."""
        await asyncio.wait_for(self._all_told.wait(), PATIENCE)
        self._all_told.clear()
        told, self._told = self._told, []
        return told


class Stream(asyncio.Protocol):
    """One stream; each of its events comes alone, since the next one is not posted before."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._expected = b": heartbeat\n"  # at first

    def data_received(self, data: bytes) -> None:
        """Take down what is told."""
        if self._expected in data:
            self._expected = b"\nevent: added\n"
            self._streams.tell()


async def measure(posted_to: Service, followed: Service, number: int) -> Measured:
    """Open so many streams and post entries, after one of each."""
    client = await Client.connect(posted_to.port)
    (first,) = await open_streams(followed, Streams(1), 1)
    await post(client)
    before = followed.memory()
    first.close()
    streams = Streams(number)
    opened = await open_streams(followed, streams, number)
    delays = []
    for _ in range(EVENTS):
        await asyncio.sleep(PAUSE)
        answered = await post(client)
        delays += [told - answered for told in await streams.all_told()]
    after = followed.memory()
    await client.close()
    for transport in opened:
        transport.close()
    return Measured(before, after, delays)


async def open_streams(
    service: Service, streams: Streams, number: int
) -> list[asyncio.Transport]:
    """Answer the connections of so many streams, all of which have begun."""
    loop = asyncio.get_running_loop()
    opened = []
    for _ in range(number):
        transport, _ = await loop.create_connection(
            lambda: Stream(streams), "127.0.0.1", service.port
        )
        transport.write(request("GET", "/todo/events"))
        opened.append(transport)
    await streams.all_told()
    return opened


async def post(client: Client) -> float:
    """Post an entry, and answer when that was answered."""
    answer = await client.request("POST", "/todo", _BODY)
    answered = perf_counter()
    if answer.status != 201:
        raise RuntimeError(answer.body.decode())
    return answered


def main(number: int) -> None:
    """Measure with so many streams on each kind of storage, and print a table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    head = ("memory", "a stream", "delay: median", "99 %", "longest")
    print(f"{number:,} streams".ljust(32) + "".join(f"{name:>15}" for name in head))
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        database = stack.enter_context(running_postgresql(fsync=True)).create_database("todos")
        asyncio.run(open_archive(database).migrate())
        for name, url, processes in (
            ("pickle, one process", f"pickle:///{folder}/todos", 1),
            ("SQLite, one process", f"sqlite:///{folder}/todos.db", 1),
            ("SQLite, two processes", f"sqlite:///{folder}/shared.db", 2),
            ("PostgreSQL, two processes", database, 2),
        ):
            with ExitStack() as running:
                services = [running.enter_context(serving(url)) for _ in range(processes)]
                measured = uvloop.run(measure(services[0], services[-1], number))
            show(name, measured, number)


def show(name: str, measured: Measured, number: int) -> None:
    """Print a line of the table."""
    delays = quantiles(measured.delays, n=100)
    told = (
        f"{measured.after / 1e6:.0f} MB",
        f"{(measured.after - measured.before) / number / 1e3:.1f} kB",
        *(
            f"{seconds * 1e3:.0f} ms"
            for seconds in (median(measured.delays), delays[-1], max(measured.delays))
        ),
    )
    print(name.ljust(32) + "".join(f"{value:>15}" for value in told), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STREAMS)
