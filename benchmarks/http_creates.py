"""The whole service: durable creates per second over HTTP, from 1 and 16 clients.

    python -m benchmarks.http_creates

A server process of its own, clients that keep their connection, rounds interleaved.
"""

import asyncio
import json
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import uvloop

from benchmarks.service import Client, serving
from tests.realistic_entries import realistic_entries

CLIENTS = (1, 16)
ROUNDS = 9
REQUESTS = 1_500


async def create_all(port: int, bodies: list[bytes], clients: int) -> float:
    """Answer the rate at which so many clients create entries, one at a time each."""
    waiting = iter(bodies)

    async def create() -> None:
        client = await Client.connect(port)
        for body in waiting:
            answer = await client.request("POST", "/todo", body)
            if answer.status != 201:
                raise RuntimeError(answer.body.decode())
        await client.close()

    begin = perf_counter()
    await asyncio.gather(*(create() for _ in range(clients)))
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
    with TemporaryDirectory() as folder, serving(f"pickle:///{folder}") as service:
        rates = uvloop.run(measure(service.port))
    for clients, rate in rates.items():
        ratio = rate / rates[CLIENTS[0]]
        print(f"durable creates, {clients:2} clients: {rate:7,.0f}/s ({ratio:.1f} x)")


def _body(content: str, notes: str, tags: tuple[str, ...]) -> bytes:
    return json.dumps({"content": content, "notes": notes, "tags": tags}).encode()


if __name__ == "__main__":
    main()
