"""What metrics cost: microseconds of a request and of a call, and milliseconds of a scrape.

    python -m benchmarks.metrics [ENTRIES]

Times are those of this process on the processor, rounds interleaved, medians reported. The
same counters of Prometheus' own library, looked up once only, are measured too.
"""

import sys
from asyncio import run
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.api.handled_request import HandledRequest
from myapp.infrastructure.database.storage import open_archive, open_storage
from myapp.infrastructure.metrics.metrics import Metrics
from myapp.infrastructure.metrics.workers import WorkerPlace
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.postgresql_server import running_postgresql
from tests.realistic_entries import realistic_entries

ROUNDS = 15
TIMES = 20_000
SCRAPES = 25

_REQUEST = HandledRequest("GET", "/todo", None, None, 200, 0.0004, 100, "id", None, None)


class OfTheLibrary:
    """The same, counted by Prometheus' own library for Python."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self._in_flight = Gauge("in_flight", "-", registry=registry)
        self._requests = Counter("requests", "-", labels, registry=registry).labels(*labels)
        self._seconds = Histogram("seconds", "-", labels[:2], registry=registry).labels(
            *labels[:2]
        )

    def begin(self) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def end(self, request: HandledRequest) -> None:
        """Count one that was answered."""
        self._in_flight.dec()
        self._requests.inc()
        self._seconds.observe(request.seconds)


async def requests(observer: OfTheLibrary | Metrics) -> None:
    """Count requests."""
    counting = observer.requests if isinstance(observer, Metrics) else observer
    for _ in range(TIMES):
        counting.begin()
        counting.end(_REQUEST)


async def calls(repository: TodoEntryRepository) -> None:
    """Ask a storage what takes no time at all."""
    for _ in range(TIMES):
        await repository.check()


async def compare(work: Mapping[str, Callable[[], Awaitable[None]]]) -> dict[str, float]:
    """Answer the median of each, in microseconds a time."""
    measured: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, piece in work.items():
            begin = process_time()
            await piece()
            measured[name].append((process_time() - begin) / TIMES * 1e6)
    return {name: median(values) for name, values in measured.items()}


async def scrape(url: str, entries: int, place: WorkerPlace | None = None) -> None:
    """Print the milliseconds of a scrape of a full storage, which is asked anew each time."""
    archive = open_archive(url)
    await archive.migrate()
    await archive.load(_batches(entries), revision=entries)
    now = count()
    metrics = Metrics("1", place, clock=lambda: float(next(now)))
    for route in range(30):
        for status in (200, 404, 422):
            metrics.requests.begin()
            metrics.requests.end(_REQUEST._replace(route=f"/{route}", status=status))
    taken = []
    async with open_storage(url) as repository:
        metrics.measured(repository)
        for _ in range(SCRAPES):
            begin = process_time()
            content, _ = await metrics.render("")
            taken.append((process_time() - begin) * 1_000)
    print(
        f"{url.partition(':')[0]:12} {median(taken):6.1f} ms a scrape of {len(content)} bytes"
    )


async def _batches(entries: int) -> AsyncIterator[Sequence[TodoEntry]]:
    batch = []
    for number, entry in enumerate(realistic_entries(entries), 1):
        batch.append(replace(entry, revision=number))
        if number % 1_000 == 0 or number == entries:
            yield batch
            batch = []


async def main() -> None:
    """Measure and print."""
    library, metrics, repository = OfTheLibrary(), Metrics("1"), InMemoryTodoEntryRepository()
    measured = metrics.measured(repository)
    medians = await compare(
        {
            "a request": lambda: requests(metrics),
            "a request, counted by the library": lambda: requests(library),
            "a call of a storage": lambda: calls(repository),
            "a measured call": lambda: calls(measured),
        }
    )
    for name, value in medians.items():
        print(f"{name:34} {value:5.2f} us")
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory() as folder, running_postgresql() as server:
        for url in (f"pickle:///{folder}/todos", f"sqlite:///{folder}/todos.db"):
            await scrape(url, entries)
        await open_archive(url := server.create_database("todos")).migrate()
        await scrape(url, entries)
        await scrape(f"pickle:///{folder}/worker", 1, WorkerPlace(Path(folder), 1))


if __name__ == "__main__":
    run(main())
