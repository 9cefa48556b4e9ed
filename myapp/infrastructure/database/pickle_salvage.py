"""What can be said about a pickle storage without opening it, and saved from a damaged one."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import REVISIONS_APART
from myapp.infrastructure.database.contents import Contents, encode_all
from myapp.infrastructure.database.disk import Disk, unused, whole_file
from myapp.infrastructure.database.folder_lock import folder_lock
from myapp.infrastructure.database.frames import FRAMES_BEGIN, salvage_frames
from myapp.infrastructure.database.journal import Journal, replay
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.records import decode
from myapp.infrastructure.database.todo_index import TodoIndex


@dataclass(frozen=True, slots=True)
class Report:
    """What a new journal holds: the number of entries, and the last revision.

    `unreadable_bytes` of the old one belong to no readable frame.
    """

    entries: int
    revision: int
    unreadable_bytes: int


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The last readable states of all entries, and the last revision that is told of.

    `unreadable` counts the bytes that belong to no readable frame.
    """

    entries: Sequence[TodoEntry]
    revision: int
    unreadable: int


def read(path: Path) -> tuple[TodoIndex, int]:
    """Answer what a journal holds, and how many unreadable bytes it ends in.

    These are a write under way, if a service runs, or one that was never acknowledged.
    Raises StorageDamaged, UnsupportedStorage, OSError.
    """
    data = path.read_bytes()
    contents = Contents()
    _, end = replay(data, path, lambda payload: contents.take(decode(payload)))
    return contents.index, len(data) - end


def salvage(folder: Path) -> tuple[Report, Path]:
    """Put a journal with every readable entry in the place of the one in a folder.

    Answers what the new one holds and where the old one lies now, byte for byte as it was.
    Raises StorageInUse, UnsupportedStorage, FileNotFoundError.
    """
    path = folder / JOURNAL
    disk = Disk()
    with folder_lock(folder):
        data = path.read_bytes()
        found = salvaged(data, path)
        old = unused(path.with_suffix(".damaged"))
        _keep(data, old, disk)
        revision = found.revision + REVISIONS_APART
        journal = Journal(path, disk)
        journal.rewrite(encode_all(revision, found.entries))
        journal.close()
    return Report(len(found.entries), revision, found.unreadable), old


def salvaged(data: bytes, path: Path) -> Salvaged:
    """Answer what can be read of a journal, wherever in it; raises UnsupportedStorage."""
    states: dict[UUID, TodoEntry] = {}
    revision = 0
    unreadable = len(data) - FRAMES_BEGIN
    for found in salvage_frames(data, path):
        try:
            record = decode(found.payload)
        except ValueError:
            continue
        for entry in (*record.entries, *record.changes):
            if entry.revision >= states.get(entry.id, entry).revision:
                states[entry.id] = entry
        revision = max(revision, record.revision)
        unreadable -= found.end - found.start
    entries = [state for state in states.values() if not state.removed]
    return Salvaged(entries, revision, max(0, unreadable))


def _keep(data: bytes, path: Path, disk: Disk) -> None:
    with whole_file(path, disk) as partial:
        descriptor = disk.open(partial)
        try:
            disk.write(descriptor, data, 0)
            disk.sync(descriptor)
        finally:
            os.close(descriptor)
