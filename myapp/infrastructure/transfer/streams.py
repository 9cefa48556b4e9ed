"""Many entries, some at a time, and how far one has come with them."""

from asyncio import sleep
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import Snapshot
from myapp.infrastructure.transfer.errors import TransferUnproven

BATCH = 500
"""So many entries are read, or stored, at once."""

Progress = Callable[[str, int, int], None]
"""Is told, again and again, of a stage how much of how much is done, in units of its own."""

T = TypeVar("T")


async def batches_of(items: Iterable[T]) -> AsyncIterator[Sequence[T]]:
    """Answer the items, BATCH at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        await sleep(0)  # the one moment in which Ctrl-C can end a loop that never waits
        yield batch


async def entries_of(
    snapshot: Snapshot, stage: str, progress: Progress
) -> AsyncIterator[Sequence[TodoEntry]]:
    """Answer all entries of a snapshot, and tell how many have gone by.

    Raises TransferUnproven if there are more or fewer than the storage counts.
    """
    read = 0
    async for batch in told(snapshot.batches(), stage, snapshot.count, progress):
        yield batch
        read += len(batch)
    if read != snapshot.count:
        raise TransferUnproven(
            f"The storage counts {snapshot.count:,} entries, and {read:,} could be read:"
            " `myapp storage check` says what is wrong with it."
        )


async def told(
    batches: AsyncIterable[Sequence[TodoEntry]], stage: str, total: int, progress: Progress
) -> AsyncIterator[Sequence[TodoEntry]]:
    """Answer the same batches, and tell how many entries have gone by."""
    done = 0
    progress(stage, done, total)
    async for batch in batches:
        await sleep(0)  # as above
        yield batch
        done += len(batch)
        progress(stage, done, total)
