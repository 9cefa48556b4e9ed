"""Whenever the power is cut, what was acknowledged is there, and nothing is there in part."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database import contents, journal_writer
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    PickleTodoEntryRepository,
)
from tests.faults.power_cuts import Kept, Sent, Shown, check_every_moment, put
from tests.faults.recording_disk import (
    Event,
    Folder,
    RecordingDisk,
    Renamed,
    Said,
    State,
    Synced,
    Wrote,
)
from tests.faults.short_ways import (
    DEADLINE,
    MOMENT,
    QuickDisk,
    all_entries,
    entries_in,
    forget,
    opened,
    todo,
)
from tests.saving import save_all


async def _save(
    repository: PickleTodoEntryRepository, disk: RecordingDisk, *entries: TodoEntry
) -> Sequence[TodoEntry]:
    """Save, for the record; answer nothing if that is refused."""
    disk.say(Sent(entries))
    try:
        stored = await save_all(repository, *entries)
    except (StorageFull, StorageUnavailable):
        return ()
    disk.say(Kept(stored))
    return stored


async def _show(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    """Read everything, for the record, once the repository is ready."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await repository.check()
                break
            except (StorageFull, StorageUnavailable):
                await asyncio.sleep(0.01)
    page = await repository.find(TodoQuery())
    disk.say(Shown(await all_entries(repository), page.revision))


def _changed(entry: TodoEntry, content: str) -> TodoEntry:
    return entry.change(at=MOMENT, content=content)


async def _nothing(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    await _show(repository, disk)


async def _single_saves(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    (first,) = await _save(repository, disk, todo(1))
    (second,) = await _save(repository, disk, todo(2, notes="x" * 700))
    await _save(repository, disk, _changed(first, "first, changed"))
    await _save(repository, disk, second.remove(at=MOMENT))
    await _save(repository, disk, todo(3), todo(4), todo(5))


async def _a_large_save(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    await _save(repository, disk, todo(1))
    await _save(repository, disk, *(todo(n, notes=f"{n}" * 300) for n in range(2, 12)))
    await _save(repository, disk, todo(12))


async def _shared_frames(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    await _save(repository, disk, todo(1))
    saves = [_save(repository, disk, todo(n, notes="x" * 40 * n)) for n in range(2, 9)]
    await asyncio.gather(*saves, _save(repository, disk, todo(9), todo(10)))


async def _a_compaction(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    *_, entry = await _save(repository, disk, *(todo(n) for n in range(1, 6)))
    for change in range(12):
        await forget(repository)
        (entry,) = await _save(repository, disk, _changed(entry, f"change {change}"))
    await _show(repository, disk)


async def _a_failed_write(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    (first,) = await _save(repository, disk, todo(1))
    for after in (0, 10, 600):
        disk.fail_write(errno.ENOSPC, after=after)
        large = todo(2 + after, notes="x" * 900)
        assert not await _save(repository, disk, large, _changed(first, "never"))
        await _show(repository, disk)
        await _save(repository, disk, large)


async def _a_failed_sync(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    (first,) = await _save(repository, disk, todo(1, notes="x" * 300))
    disk.fail_sync()
    assert not await _save(repository, disk, todo(2, notes="x" * 600))
    await _show(repository, disk)
    await _save(repository, disk, _changed(first, "changed"))
    disk.fail_sync()
    assert not await _save(repository, disk, todo(2), todo(3))
    await _show(repository, disk)
    await _save(repository, disk, todo(2), todo(3))


_Run = Callable[[PickleTodoEntryRepository, RecordingDisk], Awaitable[None]]
_RUNS: dict[str, _Run] = {
    "a first start": _nothing,
    "single saves": _single_saves,
    "a large save": _a_large_save,
    "saves that share a frame": _shared_frames,
    "a compaction": _a_compaction,
    "failed writes": _a_failed_write,
    "failed syncs": _a_failed_sync,
}
_each_run = pytest.mark.parametrize("run", _RUNS.values(), ids=_RUNS)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a compaction be due after a few changes, and take several frames."""
    monkeypatch.setattr(journal_writer, "_COMPACT_BEYOND", 4)
    monkeypatch.setattr(contents, "_CHUNK", 4)


def _opened(folder: Path) -> AbstractAsyncContextManager[PickleTodoEntryRepository]:
    return opened(folder, QuickDisk())


async def _record(run: _Run, folder: Path, before: Sequence[Event] = ()) -> list[Event]:
    disk = RecordingDisk(folder, before)
    async with opened(folder, disk) as repository:
        if before:
            await _show(repository, disk)
        await run(repository, disk)
    return disk.events


@_each_run
async def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(
    tmp_path: Path, run: _Run
) -> None:
    events = await _record(run, tmp_path / "storage")
    images = await check_every_moment(tmp_path / "image", events, _opened, most=40)
    assert images >= sum(isinstance(event, Wrote | Synced) for event in events)


async def test_the_runs_do_what_they_are_named_for(tmp_path: Path) -> None:
    for name, run in _RUNS.items():
        events = await _record(run, tmp_path / name)
        renames = sum(isinstance(event, Renamed) for event in events)
        failures = sum(isinstance(event, Synced) and event.failed for event in events)
        saves = sum(
            isinstance(event, Said) and isinstance(event.what, Sent) for event in events
        )
        frames = sum(isinstance(event, Wrote) for event in events)
        assert failures == (2 if name == "failed syncs" else 0)
        assert renames > 1 if name in {"failed syncs", "a compaction"} else renames == 1
        if name == "saves that share a frame":
            assert frames < saves


@_each_run
async def test_what_a_process_found_after_another_was_killed_survives_a_power_cut(
    tmp_path: Path, run: _Run
) -> None:
    events = await _record(run, tmp_path / "storage")
    for killed_after in range(len(events)):
        for before in _killed(events[: killed_after + 1]):
            if State(before).made_kept:
                await _check_second_process(tmp_path, before)


async def test_a_folder_whose_maker_was_killed_survives_a_power_cut_once_it_is_used(
    tmp_path: Path,
) -> None:
    events = await _record(_nothing, tmp_path / "storage")
    assert isinstance(events[0], Folder)
    await _check_second_process(tmp_path, events[:1])


async def test_what_is_found_after_a_start_whose_sync_failed_survives_a_power_cut(
    tmp_path: Path,
) -> None:
    events = await _record(_single_saves, tmp_path / "storage")
    for number, event in enumerate(events):
        if isinstance(event, Wrote) and State(events[:number]).made_kept:
            before = events[: number + 1]
            put(tmp_path / "storage", State(before).cached())
            disk = RecordingDisk(tmp_path / "storage", before)
            disk.fail_sync()
            with pytest.raises(StorageUnusable):
                await entries_in(tmp_path / "storage", disk)
            await _check_second_process(tmp_path, disk.events)


async def _check_second_process(tmp_path: Path, before: Sequence[Event]) -> None:
    """Let a second process go on where one was killed, and cut the power at every moment."""
    put(tmp_path / "storage", State(before).cached())
    events = await _record(_one_more_save, tmp_path / "storage", before)
    await check_every_moment(tmp_path / "image", events, _opened, begin=len(before), most=4)


async def _one_more_save(repository: PickleTodoEntryRepository, disk: RecordingDisk) -> None:
    await _save(repository, disk, todo(1_000))


def _killed(events: Sequence[Event]) -> list[Sequence[Event]]:
    """Answer the records of a process killed after these events, or within the last."""
    match events[-1]:
        case Said():
            return []  # nothing new on the disk
        case Wrote(file, offset, data):
            half = Wrote(file, offset, data[: len(data) // 2])
            return [[*events[:-1], half], events]
    return [events]
