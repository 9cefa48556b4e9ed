"""All entries from one storage to another, as they are, and the proof that they arrived."""

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import Archive, Snapshot
from myapp.infrastructure.database.errors import StorageAhead, StorageNotEmpty
from myapp.infrastructure.transfer.errors import TransferUnproven
from myapp.infrastructure.transfer.fingerprint import Fingerprint, Fingerprinter
from myapp.infrastructure.transfer.streams import Progress, entries_of


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a storage holds after all: the store's revision, and a proof of the entries."""

    revision: int
    fingerprint: Fingerprint

    def __str__(self) -> str:
        return f"{self.fingerprint} at revision {self.revision:,}"


async def copy(source: Archive, target: Archive, progress: Progress) -> Arrived:
    """Copy all entries with their ids, revisions and times into an empty storage.

    The source may be in use. What was copied before, up to the comparison, is compared
    only. Raises StorageNotEmpty, StorageAhead, TransferUnproven.
    """
    fingerprinter = Fingerprinter()
    async with source.snapshot() as snapshot:
        sent = entries_of(snapshot, "copying", progress)
        try:
            await fill(target, fingerprinter.watch(sent), revision=snapshot.revision)
        except (StorageNotEmpty, StorageAhead):  # the latter where nothing was to be copied
            if (await target.status()).entries != snapshot.count:
                raise
            async for _ in fingerprinter.watch(sent):
                pass
            if await arrival(target, progress) != _sent(snapshot, fingerprinter):
                raise
    return await prove(target, _sent(snapshot, fingerprinter), progress)


def _sent(snapshot: Snapshot, fingerprinter: Fingerprinter) -> Arrived:
    return Arrived(snapshot.revision, fingerprinter.fingerprint)


async def fill(
    target: Archive,
    batches: AsyncIterable[Sequence[TodoEntry]],
    *,
    revision: int,
) -> None:
    """Load an empty storage, which may not be there yet, or be of an older schema."""
    await target.migrate()
    await target.load(batches, revision=revision)


async def prove(target: Archive, sent: Arrived, progress: Progress) -> Arrived:
    """Answer what the target holds; raises TransferUnproven unless that is what was sent."""
    arrived = await arrival(target, progress)
    if arrived != sent:
        raise TransferUnproven(
            f"The storage holds {arrived}, not {sent}: does somebody else write there?"
        )
    return arrived


async def arrival(target: Archive, progress: Progress) -> Arrived:
    """Answer what a storage holds, by reading all of it."""
    fingerprinter = Fingerprinter()
    async with target.snapshot() as snapshot:
        held = entries_of(snapshot, "comparing", progress)
        async for _ in fingerprinter.watch(held):
            pass
    return Arrived(snapshot.revision, fingerprinter.fingerprint)
