"""A disk that fails costs the saves of that moment, and nothing that was acknowledged."""

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from myapp.domain.errors import StorageFull, StorageUnavailable, TodoError
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database import contents, journal_writer
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    PickleTodoEntryRepository,
)
from tests.faults.failing_disk import FailingDisk, Operation
from tests.faults.short_ways import (
    DEADLINE,
    QuickDisk,
    all_entries,
    entries_in,
    forget,
    opened,
    todo,
)
from tests.saving import save_all

_REFUSALS: list[tuple[Operation, int, type[TodoError]]] = [
    ("write", errno.ENOSPC, StorageFull),
    ("write", errno.EDQUOT, StorageFull),
    ("write", errno.EFBIG, StorageFull),
    ("write", errno.EIO, StorageUnavailable),
    ("write", errno.EROFS, StorageUnavailable),
    ("sync", errno.EIO, StorageUnavailable),
    ("sync", errno.ENOSPC, StorageFull),
]
_every_failure = pytest.mark.parametrize(
    ("operation", "number", "refusal"),
    _REFUSALS,
    ids=[f"{operation}-{errno.errorcode[number]}" for operation, number, _ in _REFUSALS],
)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it try to recover more often than it would."""
    monkeypatch.setattr(journal_writer, "_LONGEST_PAUSE", 0.05)


async def _recovered(repository: PickleTodoEntryRepository) -> None:
    """Wait until the repository is ready."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await repository.check()
                return
            except (StorageFull, StorageUnavailable):
                await asyncio.sleep(0.01)


async def _tried_again(disk: FailingDisk, operation: Operation) -> None:
    """Wait until the disk has been asked once more, which it does by itself."""
    before = [asked for asked, _ in disk.asked].count(operation)
    async with asyncio.timeout(DEADLINE):
        while [asked for asked, _ in disk.asked].count(operation) == before:
            await asyncio.sleep(0.01)


def _by_id(*groups: Sequence[TodoEntry]) -> dict[object, TodoEntry]:
    return {entry.id: entry for entries in groups for entry in entries}


@_every_failure
async def test_a_failed_save_is_refused_and_the_entries_before_it_are_untouched(
    tmp_path: Path, operation: Operation, number: int, refusal: type[TodoError]
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1), todo(2))
        before = (tmp_path / JOURNAL).read_bytes()
        disk.fail(operation, number)
        with pytest.raises(refusal):
            await repository.save(todo(3))
        assert await all_entries(repository) == _by_id(kept)
        with pytest.raises(refusal):
            await repository.check()
        with pytest.raises(refusal):
            await repository.save(todo(4))
        assert (tmp_path / JOURNAL).read_bytes()[: len(before)] == before


@_every_failure
async def test_it_recovers_by_itself_once_the_cause_is_gone(
    tmp_path: Path, operation: Operation, number: int, refusal: type[TodoError]
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.fail(operation, number)
        with pytest.raises(refusal):
            await repository.save(todo(2))
        await _tried_again(disk, operation)
        with pytest.raises(refusal):
            await repository.check()
        disk.work()
        await _recovered(repository)
        assert await all_entries(repository) == _by_id(kept)
        later = await save_all(repository, todo(2, "sent again"))
        assert await all_entries(repository) == _by_id(kept, later)
    assert await entries_in(tmp_path) == _by_id(kept, later)


@_every_failure
async def test_the_revision_of_a_failed_save_stays_unused(
    tmp_path: Path, operation: Operation, number: int, refusal: type[TodoError]
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        await repository.save(todo(1))
        disk.fail(operation, number, times=1)
        with pytest.raises(refusal):
            await repository.save(todo(2), todo(3))  # would have been 2 and 3
        await _recovered(repository)
    async with opened(tmp_path, disk) as repository:
        (later,) = await save_all(repository, todo(4))
    assert later.revision == 4


@_every_failure
async def test_a_start_after_a_failure_finds_everything_acknowledged(
    tmp_path: Path, operation: Operation, number: int, refusal: type[TodoError]
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.fail(operation, number)
        with pytest.raises(refusal):
            await repository.save(todo(2))
    found = await entries_in(tmp_path)
    assert found.pop(kept[0].id) == kept[0]
    # The failed save is there or is not; nobody was told either.
    assert [entry.content for entry in found.values()] in ([], ["entry 2"])


@pytest.mark.parametrize("failures", [1, 2, 3])
async def test_a_file_whose_sync_failed_is_never_synced_again(
    tmp_path: Path, failures: int
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.asked.clear()
        disk.fail("sync", errno.EIO, times=failures)
        with pytest.raises(StorageUnavailable):
            await repository.save(todo(2))
        await _recovered(repository)
        rewritten = disk.synced()
        assert len(rewritten) == failures + 1
        assert len(set(rewritten)) == len(rewritten)
        later = await save_all(repository, todo(3))
        assert disk.synced() == [*rewritten, rewritten[-1]]
    assert await entries_in(tmp_path) == _by_id(kept, later)


async def test_a_disk_that_fills_up_takes_saves_again_once_there_is_space(
    tmp_path: Path,
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = [*await save_all(repository, todo(1))]
        disk.leave_free(1_000)
        with pytest.raises(StorageFull):
            for number in range(2, 100):
                kept += await save_all(repository, todo(number, notes="x" * 100))
        assert await all_entries(repository) == _by_id(kept)
        await _tried_again(disk, "write")
        with pytest.raises(StorageFull):
            await repository.check()
        disk.work()
        await _recovered(repository)
        kept += await save_all(repository, todo(100))
    assert await entries_in(tmp_path) == _by_id(kept)
    assert not list(tmp_path.glob("todo.torn*"))


async def test_a_write_that_cannot_be_cut_back_is_never_written_over(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.leave_free(50)
        disk.fail("truncate", errno.EIO)
        with pytest.raises(StorageFull):
            await repository.save(todo(2))
        (begun,) = {file for operation, file in disk.asked if operation == "truncate"}
        disk.work()
        disk.asked.clear()
        await _recovered(repository)
        assert ("write", begun) not in disk.asked
        later = await save_all(repository, todo(2))
    assert await entries_in(tmp_path) == _by_id(kept, later)


class _ForgetfulDisk(QuickDisk):
    """A disk for which there is no memory in the middle of a write, once it is told so."""

    forgets = False

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """See Disk."""
        if self.forgets:
            self.forgets = False
            super().write(descriptor, data[: len(data) // 2], offset)
            raise MemoryError
        super().write(descriptor, data, offset)


async def test_memory_that_ends_in_the_middle_of_a_write_costs_that_save_and_no_more(
    tmp_path: Path,
) -> None:
    disk = _ForgetfulDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.forgets = True
        with pytest.raises(StorageUnavailable):
            await repository.save(todo(2))
        await _recovered(repository)
        later = await save_all(repository, todo(3))
    assert await entries_in(tmp_path) == _by_id(kept, later)


async def test_saves_waiting_behind_a_failed_one_are_refused_too(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.hold("write")
        disk.fail("write", errno.ENOSPC, times=1)
        saves = [asyncio.create_task(repository.save(todo(number))) for number in (2, 3, 4)]
        assert await asyncio.to_thread(disk.reached)
        saves += [asyncio.create_task(repository.save(todo(number))) for number in (5, 6)]
        await asyncio.sleep(0)
        disk.release()
        answers = await asyncio.gather(*saves, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StorageFull] * 5
        await _recovered(repository)
        later = await save_all(repository, *(todo(number) for number in range(2, 7)))
        assert [entry.revision for entry in later] == [7, 8, 9, 10, 11]
    assert await entries_in(tmp_path) == _by_id(kept, later)


async def test_no_reader_sees_an_entry_before_its_sync_has_succeeded(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        kept = await save_all(repository, todo(1))
        disk.hold("sync")
        disk.fail("sync", errno.EIO, times=1)
        save = asyncio.create_task(repository.save(todo(2)))
        assert await asyncio.to_thread(disk.reached)
        assert await all_entries(repository) == _by_id(kept)
        disk.release()
        with pytest.raises(StorageUnavailable):
            await save
        assert await all_entries(repository) == _by_id(kept)


@pytest.mark.parametrize("operation", ["write", "sync"])
async def test_closing_while_failed_does_not_hang(tmp_path: Path, operation: Operation) -> None:
    disk = FailingDisk()
    async with asyncio.timeout(DEADLINE):
        async with opened(tmp_path, disk) as repository:
            await repository.save(todo(1))
            disk.fail(operation, errno.EIO)
            with pytest.raises(StorageUnavailable):
                await repository.save(todo(2))
            await _tried_again(disk, "write")


@pytest.mark.parametrize("operation", ["write", "sync"])
async def test_closing_while_a_save_is_about_to_fail_does_not_hang(
    tmp_path: Path, operation: Operation
) -> None:
    disk = FailingDisk()
    async with asyncio.timeout(DEADLINE):
        async with opened(tmp_path, disk) as repository:
            kept = await save_all(repository, todo(1))
            disk.hold(operation)
            disk.fail(operation, errno.EIO)
            save = asyncio.create_task(repository.save(todo(2)))
            assert await asyncio.to_thread(disk.reached)
            asyncio.get_running_loop().call_later(0.05, disk.release)
        with pytest.raises(StorageUnavailable):
            await save
    assert (await entries_in(tmp_path))[kept[0].id] == kept[0]


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a compaction be due after a few changes, and take several frames."""
    monkeypatch.setattr(journal_writer, "_COMPACT_BEYOND", 4)
    monkeypatch.setattr(contents, "_CHUNK", 4)


async def _changed(
    repository: PickleTodoEntryRepository, entry: TodoEntry, times: int
) -> TodoEntry:
    """Change an entry so often; answer it as it was acknowledged last, if one is refused."""
    for time in range(times):
        await forget(repository)
        try:
            changed = entry.change(at=entry.updated_at, content=f"change {time}")
            (entry,) = await save_all(repository, changed)
        except (StorageFull, StorageUnavailable):
            break
    return entry


@pytest.mark.usefixtures("_small_chunks")
async def test_a_compaction_leaves_the_newest_state_of_every_entry(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        *kept, entry = await save_all(repository, *(todo(number) for number in range(8)))
        kept.append(await _changed(repository, entry, 50))
    assert [asked for asked, _ in disk.asked].count("replace") > 1
    assert (tmp_path / JOURNAL).stat().st_size < 5_000
    async with opened(tmp_path) as repository:
        assert await all_entries(repository) == _by_id(kept)
        (later,) = await save_all(repository, todo(9))
        assert later.revision == kept[-1].revision + 1


@pytest.mark.usefixtures("_small_chunks")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    ("operation", "after"),
    [("create", 0), ("write", 0), ("write", 1), ("write", 2), ("sync", 0), ("replace", 0)],
)
async def test_a_compaction_that_fails_leaves_the_service_working(
    tmp_path: Path,
    operation: Operation,
    after: int,
    number: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        *kept, entry = await save_all(repository, *(todo(number) for number in range(8)))
        disk.fail(operation, number, once="create", after=after, times=1)
        entry = await _changed(repository, entry, 30)
        assert entry.content == "change 29"
        assert "could not be compacted" in caplog.text
        assert await all_entries(repository) == _by_id(kept, [entry])
        assert {path.name for path in tmp_path.iterdir()} == {JOURNAL, "lock"}
        compactions = [asked for asked, _ in disk.asked].count("replace")
        entry = await _changed(repository, entry, 60)
        assert entry.content == "change 59"
    assert [asked for asked, _ in disk.asked].count("replace") > compactions
    assert await entries_in(tmp_path) == _by_id(kept, [entry])


@pytest.mark.usefixtures("_small_chunks")
@pytest.mark.parametrize("failures", [1, 3])
async def test_it_recovers_from_a_folder_that_did_not_keep_the_name_of_a_compacted_journal(
    tmp_path: Path, failures: int
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        *kept, entry = await save_all(repository, *(todo(number) for number in range(8)))
        disk.fail("sync_folder", errno.EIO, once="replace", times=failures)
        entry = await _changed(repository, entry, 30)
        assert entry.content != "change 29"
        assert await all_entries(repository) == _by_id(kept, [entry])
        await _recovered(repository)
        assert [asked for asked, _ in disk.asked].count("replace") == 2 + failures
        assert await all_entries(repository) == _by_id(kept, [entry])
        (later,) = await save_all(repository, todo(9))
        assert later.revision == entry.revision + 2  # one was given out to a save that failed
    assert await entries_in(tmp_path) == _by_id(kept, [entry, later])


@pytest.mark.usefixtures("_small_chunks")
async def test_a_start_after_a_folder_kept_no_names_finds_everything_acknowledged(
    tmp_path: Path,
) -> None:
    disk = FailingDisk()
    async with opened(tmp_path, disk) as repository:
        *kept, entry = await save_all(repository, *(todo(number) for number in range(8)))
        disk.fail("sync_folder", errno.EIO, once="replace")
        entry = await _changed(repository, entry, 30)
        assert entry.content != "change 29"
    assert await entries_in(tmp_path) == _by_id(kept, [entry])


async def test_short_writes_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite

    def write_a_little(descriptor: int, data: memoryview, offset: int) -> int:
        return write(descriptor, data[:7], offset)

    monkeypatch.setattr(os, "pwrite", write_a_little)
    async with opened(tmp_path, QuickDisk()) as repository:
        kept = await save_all(repository, todo(1, notes="x" * 1_000), todo(2))
    assert await entries_in(tmp_path) == _by_id(kept)


async def test_a_first_start_that_fails_can_be_tried_again(tmp_path: Path) -> None:
    operations: list[Operation] = ["create", "write", "sync", "replace", "sync_folder"]
    for operation in operations:
        disk = FailingDisk()
        disk.fail(operation, errno.ENOSPC, times=1)
        folder = tmp_path / operation
        with pytest.raises(StorageUnusable, match="No space"):
            await entries_in(folder, disk)
        async with opened(folder, disk) as repository:
            kept = await save_all(repository, todo(1))
        assert await entries_in(folder) == _by_id(kept)
        assert {path.name for path in folder.iterdir()} == {JOURNAL, "lock"}


_putting_aside = pytest.mark.parametrize(
    "operation", ["create", "write", "sync", "sync_folder", "truncate"]
)
_TAIL = b"a torn tail"


async def _torn(folder: Path) -> Sequence[TodoEntry]:
    """Make a journal with a torn tail, and answer the entries that were acknowledged."""
    async with opened(folder) as repository:
        kept = await save_all(repository, todo(1))
    with (folder / JOURNAL).open("ab") as file:
        file.write(_TAIL)
    return kept


@_putting_aside
async def test_a_torn_tail_that_cannot_be_put_aside_stays_where_it_is(
    tmp_path: Path, operation: Operation
) -> None:
    kept = await _torn(tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    disk = FailingDisk()
    disk.fail(operation, errno.ENOSPC, times=1)
    with pytest.raises(StorageUnusable, match="No space"):
        await entries_in(tmp_path, disk)
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert await entries_in(tmp_path, disk) == _by_id(kept)
    assert _TAIL in [path.read_bytes() for path in tmp_path.glob("todo.torn*")]


@_putting_aside
async def test_starts_that_fail_leave_no_more_and_more_files_behind(
    tmp_path: Path, operation: Operation
) -> None:
    await _torn(tmp_path)
    disk = FailingDisk()
    disk.fail(operation, errno.ENOSPC)
    for _ in range(5):
        with pytest.raises(StorageUnusable, match="No space"):
            await entries_in(tmp_path, disk)
    assert len(list(tmp_path.glob("todo.torn*"))) <= 1


@pytest.mark.usefixtures("_small_chunks")
async def test_closing_while_a_compaction_is_about_to_break_the_journal_does_not_hang(
    tmp_path: Path,
) -> None:
    disk = FailingDisk()
    async with asyncio.timeout(DEADLINE):
        async with opened(tmp_path, disk) as repository:
            *kept, entry = await save_all(repository, *(todo(number) for number in range(8)))
            disk.hold("replace")
            disk.fail("sync_folder", errno.EIO)
            changes = asyncio.create_task(_changed(repository, entry, 30))
            assert await asyncio.to_thread(disk.reached)
            asyncio.get_running_loop().call_later(0.05, disk.release)
        entry = await changes
    assert entry.content != "change 29"
    assert await entries_in(tmp_path) == _by_id(kept, [entry])
