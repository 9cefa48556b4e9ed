"""The feed of changes over HTTP: how many a client that was away gets in a second.

    python -m benchmarks.change_feed [CHANGES]

One client follows all changes from the first on, in pages of 100 and of 1,000, over one
connection to a server process of its own for each storage. Rounds are interleaved, medians are
reported. PostgreSQL runs on this machine.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import uvloop

from benchmarks.service import Client, serving
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.postgresql_server import running_postgresql
from tests.realistic_entries import realistic_entries

CHANGES = 20_000
PAGES = (100, 1_000)
ROUNDS = 5


async def fill(url: str, number: int) -> None:
    """Store so many new entries, a thousand at a time."""
    await open_archive(url).migrate()
    entries = list(realistic_entries(number))
    async with open_storage(url) as repository:
        for start in range(0, number, 1_000):
            await repository.save(*entries[start : start + 1_000])


async def follow(port: int, limit: int, number: int) -> float:
    """Answer the rate at which a client gets all changes."""
    client = await Client.connect(port)
    begin, since = perf_counter(), 0
    while since < number:
        answer = await client.request("GET", f"/todo/changes?since={since}&limit={limit}")
        if answer.status != 200:
            raise RuntimeError(answer.body.decode())
        changes = json.loads(answer.body)
        if changes[0]["revision"] != since + 1:
            raise RuntimeError("a change is missing")
        since = changes[-1]["revision"]
    seconds = perf_counter() - begin
    await client.close()
    return number / seconds


async def measure(ports: Mapping[str, int], number: int) -> None:
    """Do the rounds, and print the medians."""
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            for limit in PAGES:
                rate = await follow(port, limit, number)
                rates.setdefault((name, limit), []).append(rate)
    print("changes a second".ljust(28) + "".join(f"{name:>14}" for name in ports))
    for limit in PAGES:
        told = (f"{median(rates[name, limit]):14,.0f}" for name in ports)
        print(f"in pages of {limit:,}".ljust(28) + "".join(told))


def main(number: int) -> None:
    """Fill and serve each storage with so many changes, and measure."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        server = stack.enter_context(running_postgresql())
        urls = {
            "pickle": f"pickle:///{folder}/todos",
            "sqlite": f"sqlite:///{folder}/todos.db",
            "postgresql": server.create_database("todos"),
        }
        ports = {}
        for name, url in urls.items():
            asyncio.run(fill(url, number))
            ports[name] = stack.enter_context(serving(url)).port
        uvloop.run(measure(ports, number))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES)
