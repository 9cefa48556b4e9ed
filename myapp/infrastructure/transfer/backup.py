"""A backup that proves itself, and what comes of it when it is needed."""

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from os import fstat
from pathlib import Path
from typing import BinaryIO

from myapp.infrastructure.database.archive import REVISIONS_APART, Archive
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.storage import open_archive
from myapp.infrastructure.transfer.backup_file import BackupReader, BackupWriter, header
from myapp.infrastructure.transfer.copying import Arrived, fill, prove
from myapp.infrastructure.transfer.errors import FileChanged, FileRefused
from myapp.infrastructure.transfer.partial_file import PartialFile, partial_file
from myapp.infrastructure.transfer.streams import Progress, batches_of, entries_of, told


async def backup(
    source: Archive, path: Path, *, force: bool, now: datetime, progress: Progress
) -> Arrived:
    """Write all that a storage holds into a file, which is there only once it is proven.

    It is restored beside the file and compared with what was read. The source may be in
    use. Raises FileRefused if the file exists, unless by `force`, and TransferUnproven.
    """
    with partial_file(path, force=force, apart_from=source.files) as partial:
        sent = await _write(source, partial, now, progress)
        partial.sync()
        await _try_out(partial.path, sent, progress)
    return sent


async def restore(
    path: Path, target: Archive, *, replace: bool, now: datetime, progress: Progress
) -> Arrived:
    """Store what a backup holds, after all of it has been checked, in an empty storage.

    Entries keep their ids, revisions and times; the store goes on far beyond every number
    that a client of the backup's or of the target's may hold, and by the clock beyond those
    of whatever was restored from the same backup before. With `replace` the target
    need not be empty. Raises BackupDamaged, StorageNotEmpty, TransferUnproven.
    """
    with _opened(path) as file:
        checked = BackupReader(file, path)
        count = checked.header.count
        async for _ in told(batches_of(checked), "checking", count, progress):
            pass
        await target.migrate()
        former = await target.status()
        clock = to_microseconds(now) or 0
        revision = max(checked.header.revision, former.revision, clock) + REVISIONS_APART
        again = BackupReader(file, path)
        sent = told(batches_of(again), "restoring", count, progress)
        await target.load(sent, revision=revision, replace=replace)
    if again.fingerprint != checked.fingerprint:
        raise FileChanged(path)
    return await prove(target, Arrived(revision, checked.fingerprint), progress)


async def _write(
    source: Archive, file: PartialFile, now: datetime, progress: Progress
) -> Arrived:
    async with source.snapshot() as snapshot:
        revision, count = snapshot.revision, snapshot.count
        writer = BackupWriter(file, header(created=now, revision=revision, count=count))
        async for batch in entries_of(snapshot, "reading", progress):
            for entry in batch:
                writer.add(entry)
    return Arrived(revision, writer.finish())


async def _try_out(path: Path, sent: Arrived, progress: Progress) -> None:
    """Restore a backup beside it and compare; raises TransferUnproven, BackupDamaged."""
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        scratch = open_archive(f"sqlite:///{folder}/scratch.db")
        with path.open("rb") as file:
            reader = BackupReader(file, path)
            entries = told(batches_of(reader), "trying out", sent.fingerprint.entries, progress)
            await fill(scratch, entries, revision=reader.header.revision)
        await prove(scratch, sent, progress)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        if not stat.S_ISREG(fstat(file.fileno()).st_mode):
            raise FileRefused(f"{path} is no regular file: a backup is read twice.")
        yield file
