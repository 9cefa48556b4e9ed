"""What a check and a salvage tell of a journal: whole, cut short, or hardly begun."""

import errno
import os
from pathlib import Path

import pytest

from myapp.infrastructure.database.archive import REVISIONS_APART
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.errors import StorageDamaged
from myapp.infrastructure.database.frames import FRAMES_BEGIN, frame
from myapp.infrastructure.database.pickle_salvage import Report, read, salvage
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage
from tests.contract.entries import LATER, entries_of, new_entry, save


async def _fill(folder: Path) -> Path:
    """Store two entries and remove one; answer the journal."""
    async with open_pickle_storage(folder) as repository:
        entry = await save(repository, new_entry())
        await save(repository, new_entry("call the dentist"))
        await save(repository, entry.remove(at=LATER))
    return folder / "todo.journal"


async def test_a_check_tells_what_a_whole_journal_holds(tmp_path: Path) -> None:
    journal = await _fill(tmp_path)
    index, unreadable = read(journal)
    assert (len(index), index.revision, unreadable) == (1, 3, 0)


async def test_a_check_tells_how_many_bytes_of_a_torn_tail_there_are(tmp_path: Path) -> None:
    journal = await _fill(tmp_path)
    with journal.open("ab") as file:
        file.write(b"torn")
    index, unreadable = read(journal)
    assert (len(index), index.revision, unreadable) == (1, 3, 4)


@pytest.mark.parametrize(
    ("offset", "told_at", "reason"),
    [
        (0, 0, "it does not begin like a journal"),
        (FRAMES_BEGIN + 40, FRAMES_BEGIN, "what was written there has changed since"),
    ],
)
async def test_a_check_tells_where_and_how_a_journal_is_damaged(
    tmp_path: Path, offset: int, told_at: int, reason: str
) -> None:
    path = await _fill(tmp_path)
    journal = bytearray(path.read_bytes())
    journal[offset] ^= 1
    path.write_bytes(journal)
    with pytest.raises(StorageDamaged) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} is damaged at offset {told_at}: {reason}. ")


async def test_a_check_tells_of_a_frame_that_holds_no_record(tmp_path: Path) -> None:
    path = await _fill(tmp_path)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(frame(b"no record"))
    with pytest.raises(StorageDamaged) as caught:
        read(path)
    assert str(caught.value).startswith(
        f"{path} is damaged at offset {size}: not a record of todo entries: it is no pickle"
    )


async def test_a_salvage_tells_what_it_has_saved_and_what_it_could_not_read(
    tmp_path: Path,
) -> None:
    journal = await _fill(tmp_path)
    with journal.open("ab") as file:
        file.write(b"torn")
    before = journal.read_bytes()
    report, old = salvage(tmp_path)
    assert report == Report(1, 3 + REVISIONS_APART, unreadable_bytes=4)
    assert (old, old.read_bytes()) == (tmp_path / "todo.damaged", before)
    index, unreadable = read(journal)
    assert (len(index), index.revision, unreadable) == (1, report.revision, 0)


@pytest.mark.parametrize("size", [0, 1, FRAMES_BEGIN])
async def test_a_journal_that_was_hardly_begun_is_salvaged_as_one_without_entries(
    tmp_path: Path, size: int
) -> None:
    journal = await _fill(tmp_path)
    journal.write_bytes(journal.read_bytes()[:size])
    report, _ = salvage(tmp_path)
    assert report == Report(0, REVISIONS_APART, unreadable_bytes=0)
    async with open_pickle_storage(tmp_path) as repository:
        assert await entries_of(repository) == []


async def test_a_salvage_without_room_for_the_old_journal_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_some(disk: Disk, descriptor: int, data: bytes, offset: int) -> None:
        os.pwrite(descriptor, data[:10], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = await _fill(tmp_path)
    before = sorted(tmp_path.iterdir()), journal.read_bytes()
    monkeypatch.setattr(Disk, "write", write_some)
    with pytest.raises(OSError, match="No space left"):
        salvage(tmp_path)
    assert (sorted(tmp_path.iterdir()), journal.read_bytes()) == before
