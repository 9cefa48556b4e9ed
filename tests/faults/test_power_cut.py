"""Whenever the power is cut, what was acknowledged is there, and nothing is there in part."""

import asyncio
import errno
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database import contents, journal_writer
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    PickleTodoEntryRepository,
)
from tests.faults.recording_disk import (
    Event,
    Folder,
    Image,
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
    check_history,
    entries_in,
    forget,
    opened,
    todo,
)
from tests.saving import save_all

_SEED = 20261121
_LATER = todo(10**6, "saved after the power cut")


@dataclass(frozen=True, slots=True)
class _Sent:
    """Somebody asked for these entries to be stored together."""

    entries: Sequence[TodoEntry]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Somebody was told that these entries are stored."""

    entries: Sequence[TodoEntry]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Somebody read all entries, and the store's revision, while nothing was being stored."""

    entries: Mapping[UUID, TodoEntry]
    revision: int


class _Promises:
    """What may be found after a power cut, given what clients have been told before."""

    def __init__(self) -> None:
        self.revision = 0
        self._possible: dict[UUID, list[TodoEntry | None]] = {}
        self._saves: list[Sequence[TodoEntry]] = []

    def take(self, what: object) -> None:
        """Go on by something that was said."""
        match what:
            case _Sent(entries):
                for entry in entries:
                    self._possible.setdefault(entry.id, [None]).append(_unnumbered(entry))
                self._saves.append(list(map(_unnumbered, entries)))
            case _Kept(entries):
                for entry in entries:
                    self._possible[entry.id] = [entry]
                self.revision = max(self.revision, entries[-1].revision)
            case _Shown(by_id, revision):
                self._possible = {entry_id: [entry] for entry_id, entry in by_id.items()}
                self.revision = max(self.revision, revision)

    def check(self, found: Mapping[UUID, TodoEntry]) -> None:
        """Assert that the entries found are among what may be found."""
        assert found.keys() <= self._possible.keys(), "an entry that was never sent"
        for entry_id, possible in self._possible.items():
            entry = found.get(entry_id)
            assert any(_is_state(entry, state) for state in possible), (entry, possible)
        for save in self._saves:
            states = [self._possible.get(entry.id, [None])[-1] for entry in save]
            if states == save:  # none of its entries was sent anew, or acknowledged, since
                there = {_is_state(found.get(entry.id), entry) for entry in save}
                assert len(there) == 1, "a save that is there in part"


def _unnumbered(entry: TodoEntry) -> TodoEntry:
    return replace(entry, revision=0)


def _is_state(found: TodoEntry | None, state: TodoEntry | None) -> bool:
    if found is None or state is None or state.removed_at is not None:
        return found is None and (state is None or state.removed_at is not None)
    if state.revision == 0:
        return _unnumbered(found) == state
    return found == state


async def _save(
    repository: PickleTodoEntryRepository, disk: RecordingDisk, *entries: TodoEntry
) -> Sequence[TodoEntry]:
    """Save, for the record; answer nothing if that is refused."""
    disk.say(_Sent(entries))
    try:
        stored = await save_all(repository, *entries)
    except (StorageFull, StorageUnavailable):
        return ()
    disk.say(_Kept(stored))
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
    disk.say(_Shown(await all_entries(repository), page.revision))


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


async def _record(run: _Run, folder: Path, before: Sequence[Event] = ()) -> list[Event]:
    disk = RecordingDisk(folder, before)
    async with opened(folder, disk) as repository:
        if before:
            await _show(repository, disk)
        await run(repository, disk)
    return disk.events


def _put(folder: Path, image: Image) -> None:
    """Make the folder such as the image has it."""
    shutil.rmtree(folder, ignore_errors=True)
    if image is not None:
        folder.mkdir()
        for name, content in image.items():
            (folder / name).write_bytes(content)


async def _check_image(folder: Path, image: Image, promises: _Promises) -> None:
    """Assert that a start finds what it has to, and that the storage works from then on."""
    _put(folder, image)
    async with opened(folder, QuickDisk()) as repository:
        found = await all_entries(repository)
        promises.check(found)
        await check_history(repository)
        (later,) = await save_all(repository, _LATER)
        assert later.revision > promises.revision
    async with opened(folder, QuickDisk()) as repository:
        assert await all_entries(repository) == found | {later.id: later}


async def _check_every_moment(
    folder: Path, events: Sequence[Event], *, begin: int = 0, most: int
) -> int:
    """Cut the power after each event and start again; answer how many images that made."""
    random = Random(_SEED)
    state, promises = State(events[:begin]), _Promises()
    checked: set[tuple[tuple[str, bytes], ...] | None] = set()
    images = 0
    for event in events[:begin]:
        if isinstance(event, Said):
            promises.take(event.what)
    for number, event in enumerate(events[begin:], begin):
        state.take(event)
        if isinstance(event, Said):
            promises.take(event.what)
            checked.clear()
        for image in state.images(random, most):
            key = None if image is None else tuple(sorted(image.items()))
            if key in checked:
                continue
            checked.add(key)
            images += 1
            try:
                await _check_image(folder, image, promises)
            except BaseException as error:
                sizes = {name: len(content) for name, content in (image or {}).items()}
                error.add_note(f"power cut after {_story(events[: number + 1])} with {sizes}")
                raise
    return images


def _story(events: Sequence[Event]) -> str:
    """Answer the latest events in short, for whoever reads of a failure."""
    return "; ".join(f"{event!s:.60}" for event in events[-12:])


@_each_run
async def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(
    tmp_path: Path, run: _Run
) -> None:
    events = await _record(run, tmp_path / "storage")
    images = await _check_every_moment(tmp_path / "image", events, most=40)
    assert images >= sum(isinstance(event, Wrote | Synced) for event in events)


async def test_the_runs_do_what_they_are_named_for(tmp_path: Path) -> None:
    for name, run in _RUNS.items():
        events = await _record(run, tmp_path / name)
        renames = sum(isinstance(event, Renamed) for event in events)
        failures = sum(isinstance(event, Synced) and event.failed for event in events)
        saves = sum(
            isinstance(event, Said) and isinstance(event.what, _Sent) for event in events
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
            _put(tmp_path / "storage", State(before).cached())
            disk = RecordingDisk(tmp_path / "storage", before)
            disk.fail_sync()
            with pytest.raises(StorageUnusable):
                await entries_in(tmp_path / "storage", disk)
            await _check_second_process(tmp_path, disk.events)


async def _check_second_process(tmp_path: Path, before: Sequence[Event]) -> None:
    """Let a second process go on where one was killed, and cut the power at every moment."""
    _put(tmp_path / "storage", State(before).cached())
    events = await _record(_one_more_save, tmp_path / "storage", before)
    await _check_every_moment(tmp_path / "image", events, begin=len(before), most=4)


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
