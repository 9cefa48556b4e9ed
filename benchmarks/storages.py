"""The three storages side by side, without HTTP: what each does in a second.

    python -m benchmarks.storages [ENTRIES] [STORAGE…]

Each round measures every kind of work on every storage for half a second, one after the
other; medians are reported. PostgreSQL runs on this machine, with fsync as by default.

Bandit warns of random numbers that can be foretold; here they have to be.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Position, Sort, TodoEntryRepository, TodoQuery
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.postgresql_server import running_postgresql
from tests.realistic_entries import realistic_entries

ENTRIES = 100_000
ROUNDS = 5
SECONDS = 0.5
PAGE = 50

_TAGS = ("home-1", "büro-2", "店-3", "work-4")
_COMMON = ("milk", "THE", "oat")

Work = Callable[[TodoEntryRepository], Awaitable[object]]


class Workload:
    """Pieces of work on entries drawn at random from all that are stored."""

    def __init__(self, entries: Sequence[TodoEntry], seed: int = 1) -> None:
        self._entries = entries
        # The same for everybody who runs this, and no secret.
        self._random = Random(seed)  # nosec B311
        self._fresh = (realistic_entries(100_000, seed=seed) for seed in count(1_000 * seed))
        self._new = (entry for entries in self._fresh for entry in entries)

    async def get(self, repository: TodoEntryRepository) -> None:
        """Read an entry."""
        await repository.get(self._any().id)

    async def page(self, repository: TodoEntryRepository) -> None:
        """Read a page in any order, beginning anywhere."""
        sort, entry = self._random.choice(list(Sort)), self._any()
        start = Position(sort.key(entry), entry.id)
        descending = self._random.random() < 0.5
        query = TodoQuery(sort=sort, descending=descending, start=start, limit=PAGE)
        await repository.find(query)

    async def filtered_page(self, repository: TodoEntryRepository) -> None:
        """Read the first page of the open entries with a tag."""
        tag = self._random.choice(_TAGS)
        await repository.find(TodoQuery(tags=frozenset([tag]), done=False, limit=PAGE))

    async def rare_search(self, repository: TodoEntryRepository) -> None:
        """Search for what hardly another entry has."""
        await repository.find(TodoQuery(search=self._any().content[2:20], limit=PAGE))

    async def common_search(self, repository: TodoEntryRepository) -> None:
        """Search for what every third entry has."""
        search = self._random.choice(_COMMON)
        await repository.find(TodoQuery(search=search, limit=PAGE))

    async def create(self, repository: TodoEntryRepository) -> None:
        """Store a new entry."""
        await repository.save(next(self._new))

    def _any(self) -> TodoEntry:
        return self._random.choice(self._entries)


async def rate(repository: TodoEntryRepository, work: Work, clients: int) -> float:
    """Answer how often a second so many clients do the work."""
    done = 0
    begin = perf_counter()

    async def run() -> None:
        nonlocal done
        while perf_counter() - begin < SECONDS:
            await work(repository)
            done += 1

    await asyncio.gather(*(run() for _ in range(clients)))
    return done / (perf_counter() - begin)


async def fill(url: str, entries: Sequence[TodoEntry]) -> float:
    """Fill an empty storage, and answer how many entries that were a second."""

    async def batches() -> AsyncIterator[Sequence[TodoEntry]]:
        for start in range(0, len(entries), 500):
            yield entries[start : start + 500]

    archive = open_archive(url)
    await archive.migrate()
    begin = perf_counter()
    await archive.load(batches(), revision=len(entries))
    return len(entries) / (perf_counter() - begin)


async def measure(urls: Mapping[str, str], entries: Sequence[TodoEntry]) -> None:
    """Fill the storages, do the rounds, and print the medians."""
    for name, url in urls.items():
        print(f"{name}: filled with {await fill(url, entries):,.0f} entries/s", flush=True)
    workload = Workload(entries)
    kinds: dict[str, tuple[Work, int]] = {
        "get": (workload.get, 1),
        "get, 16 clients": (workload.get, 16),
        "page of 50": (workload.page, 1),
        "filtered page": (workload.filtered_page, 1),
        "rare search": (workload.rare_search, 1),
        "common search": (workload.common_search, 1),
        "durable create": (workload.create, 1),
        "durable create, 16 clients": (workload.create, 16),
    }
    rates: dict[tuple[str, str], list[float]] = {}
    async with AsyncExitStack() as stack:
        repositories = {
            name: await stack.enter_async_context(open_storage(url))
            for name, url in urls.items()
        }
        for repository in repositories.values():  # what is made on demand is made now
            for sort in Sort:
                await repository.find(TodoQuery(sort=sort))
            for work, _ in kinds.values():
                await work(repository)
        for _ in range(ROUNDS):
            for kind, (work, clients) in kinds.items():
                for name, repository in repositories.items():
                    measured = await rate(repository, work, clients)
                    rates.setdefault((kind, name), []).append(measured)
    print(f"{'a second':28}" + "".join(f"{name:>14}" for name in urls))
    for kind in kinds:
        told = (f"{median(rates[kind, name]):14,.0f}" for name in urls)
        print(f"{kind:28}" + "".join(told))


def main(entries: int, names: Sequence[str]) -> None:
    """Measure the storages of these names, or all, with so many entries."""
    stored = [
        replace(entry, revision=number)
        for number, entry in enumerate(realistic_entries(entries), start=1)
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        urls = {"pickle": f"pickle:///{folder}/todos", "sqlite": f"sqlite:///{folder}/todos.db"}
        if not names or "postgresql" in names:
            server = stack.enter_context(running_postgresql(fsync=True))
            urls["postgresql"] = server.create_database("todos")
        wanted = {name: url for name, url in urls.items() if not names or name in names}
        asyncio.run(measure(wanted, stored))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES, sys.argv[2:])
