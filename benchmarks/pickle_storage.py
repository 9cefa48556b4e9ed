"""The pickle storage alone: opening, memory, size on disk, durable saves from 1 and 16 writers.

    python -m benchmarks.pickle_storage [ENTRIES]

Rounds are interleaved and medians reported: other work on the machine disturbs them all.

Bandit warns of subprocesses started from input; what is started here is this very file.
"""

import asyncio
import resource
import subprocess  # nosec B404
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    open_pickle_storage,
)
from tests.realistic_entries import realistic_entries

ENTRIES = 100_000
ROUNDS = 9
SAVES = 2_000
WRITERS = (1, 16)


async def fill(folder: Path, count: int) -> None:
    """Store so many entries."""
    entries = list(realistic_entries(count))
    async with open_pickle_storage(folder) as repository:
        for start in range(0, count, 1_000):
            await repository.save(*entries[start : start + 1_000])


async def open_once(folder: Path) -> None:
    """Print the seconds that opening took, and the most memory used by then, in MB."""
    begin = perf_counter()
    async with open_pickle_storage(folder):
        seconds = perf_counter() - begin
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000)


async def saves_per_second(
    repository: TodoEntryRepository, entries: list[TodoEntry], writers: int
) -> float:
    """Answer the rate at which so many writers store the entries, one at a time each."""
    waiting: Iterator[TodoEntry] = iter(entries)

    async def write() -> None:
        for entry in waiting:
            await repository.save(entry)

    begin = perf_counter()
    await asyncio.gather(*(write() for _ in range(writers)))
    return len(entries) / (perf_counter() - begin)


async def measure_saves(folder: Path) -> dict[int, float]:
    """Answer the median rate for each number of writers."""
    rates: dict[int, list[float]] = {writers: [] for writers in WRITERS}
    async with open_pickle_storage(folder) as repository:
        for number in range(ROUNDS):
            for writers in WRITERS:
                entries = list(realistic_entries(SAVES, seed=100 * number + writers))
                rates[writers].append(await saves_per_second(repository, entries, writers))
    return {writers: median(measured) for writers, measured in rates.items()}


def measure_opening(folder: Path) -> tuple[float, float]:
    """Answer the median seconds and megabytes of opening in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.pickle_storage", "--open", str(folder)]
    measured = [_output(command).split() for _ in range(ROUNDS)]
    seconds, megabytes = zip(*((float(a), float(b)) for a, b in measured), strict=True)
    return median(seconds), median(megabytes)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # nosec B603
    return done.stdout


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--open"]:
        asyncio.run(open_once(Path(sys.argv[2])))
        return
    count = int(sys.argv[1]) if sys.argv[1:] else ENTRIES
    with tempfile.TemporaryDirectory() as scratch:
        full, empty = Path(scratch, "full"), Path(scratch, "empty")
        asyncio.run(fill(full, count))
        seconds, megabytes = measure_opening(full)
        print(f"opening {count:,} entries: {seconds:.2f} s, {megabytes:.0f} MB at most")
        print(f"on disk: {(full / JOURNAL).stat().st_size / count:.0f} bytes an entry")
        rates = asyncio.run(measure_saves(empty))
    for writers, rate in rates.items():
        ratio = rate / rates[WRITERS[0]]
        print(f"durable saves, {writers:2} writers: {rate:8,.0f}/s ({ratio:.1f} x)")


if __name__ == "__main__":
    main()
