"""Damage is noticed wherever it lies, changes nothing further, and costs one frame at most."""

import asyncio
import shutil
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from struct import pack
from zlib import crc32

import pytest
from typer.testing import CliRunner, Result

from myapp.command_line import main
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database import pickle_salvage
from myapp.infrastructure.database.archive import REVISIONS_APART
from myapp.infrastructure.database.errors import (
    StorageDamaged,
    StorageInUse,
    UnsupportedStorage,
)
from myapp.infrastructure.database.frames import FRAMES_BEGIN, VERSION
from myapp.infrastructure.database.pickle_salvage import (
    read,
    salvage,
)
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from tests.faults.short_ways import (
    QuickDisk,
    all_entries,
    entries_in,
    frames_in,
    headers_in,
    opened,
    todo,
)
from tests.saving import save_all


async def _fill(folder: Path) -> list[TodoEntry]:
    """Make a journal of four frames, an entry in each."""
    async with opened(folder, QuickDisk()) as repository:
        return [
            entry
            for number in range(1, 5)
            for entry in await save_all(repository, todo(number, str(number)))
        ]


def _flip(folder: Path, *offsets: int, mask: int = 0x01) -> bytes:
    """Change bytes of the journal, and answer what it holds then."""
    journal = bytearray((folder / JOURNAL).read_bytes())
    for offset in offsets:
        journal[offset] ^= mask
    (folder / JOURNAL).write_bytes(journal)
    return bytes(journal)


def _files(folder: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {name: content for name, content in files.items() if name != "lock"}


def _by_id(entries: Sequence[TodoEntry]) -> dict[object, TodoEntry]:
    return {entry.id: entry for entry in entries}


async def test_a_changed_byte_anywhere_before_the_last_frame_stops_the_start_and_is_salvaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickle_salvage, "Disk", QuickDisk)
    entries = await _fill(tmp_path / "whole")
    frames = frames_in(tmp_path / "whole")
    for offset in range(frames[-1].start):
        hit = next(
            (n for n, frame in enumerate(frames) if frame.start <= offset < frame.end), None
        )
        folder = shutil.copytree(tmp_path / "whole", tmp_path / str(offset))
        damaged = _flip(folder, offset, mask=1 << offset % 8)

        with pytest.raises(StorageDamaged) as caught:
            await entries_in(folder, QuickDisk())
        assert caught.value.path == folder / JOURNAL
        assert caught.value.offset == (0 if hit is None else frames[hit].start), offset
        assert str(folder / JOURNAL) in str(caught.value)
        assert f"offset {caught.value.offset}:" in str(caught.value)
        assert f"myapp storage salvage {folder}" in str(caught.value)
        assert _files(folder) == {JOURNAL: damaged}

        report, old = salvage(folder)
        assert old.read_bytes() == damaged
        kept = [entry for n, entry in enumerate(entries) if n != hit]
        assert report.entries == len(kept)
        assert report.revision == kept[-1].revision + REVISIONS_APART
        async with opened(folder, QuickDisk()) as repository:
            assert await all_entries(repository) == _by_id(kept), offset
            (later,) = await save_all(repository, todo(5))
            assert later.revision == report.revision + 1


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
async def test_no_bit_of_a_header_can_change_unnoticed(tmp_path: Path, mask: int) -> None:
    await _fill(tmp_path / "whole")
    begin = frames_in(tmp_path / "whole")[1].start
    end = begin + len(headers_in(tmp_path / "whole")[1])
    offsets = [*range(FRAMES_BEGIN), *range(begin, end)]
    for offset in offsets:
        folder = shutil.copytree(tmp_path / "whole", tmp_path / str(offset))
        _flip(folder, offset, mask=mask)
        with pytest.raises(StorageDamaged):
            await entries_in(folder, QuickDisk())


async def test_whichever_frames_are_damaged_all_others_are_salvaged(tmp_path: Path) -> None:
    entries = await _fill(tmp_path / "whole")
    frames = frames_in(tmp_path / "whole")
    hits = [hit for count in (2, 3, 4) for hit in combinations(range(len(frames)), count)]
    for number, hit in enumerate(hits):
        folder = shutil.copytree(tmp_path / "whole", tmp_path / str(number))
        _flip(folder, 3, *(frames[n].start + 10 for n in hit[::2]))
        _flip(folder, *(frames[n].end - 1 for n in hit[1::2]))
        salvage(folder)
        kept = [entry for n, entry in enumerate(entries) if n not in hit]
        assert await entries_in(folder, QuickDisk()) == _by_id(kept), hit


async def test_salvage_keeps_the_newest_readable_state_of_an_entry_and_knows_removed_ones(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as repository:
        (first,) = await save_all(repository, todo(1, "first"))
        (gone,) = await save_all(repository, todo(2))
        (second,) = await save_all(
            repository, first.change(at=first.updated_at, content="second")
        )
        await repository.save(gone.remove(at=gone.updated_at))
        (third,) = await save_all(
            repository, second.change(at=first.updated_at, content="third")
        )
    _flip(tmp_path, frames_in(tmp_path)[-1].end - 1)
    report, _ = salvage(tmp_path)
    assert await entries_in(tmp_path) == {second.id: second}
    assert report.revision >= third.revision


async def test_salvage_says_how_many_bytes_it_could_not_read(tmp_path: Path) -> None:
    await _fill(tmp_path)
    assert salvage(tmp_path)[0].unreadable_bytes == 0
    lost = frames_in(tmp_path)[1]
    async with opened(tmp_path) as repository:
        await repository.save(todo(5))
    _flip(tmp_path, lost.start)
    assert salvage(tmp_path)[0].unreadable_bytes == lost.end - lost.start


async def test_every_salvaged_journal_is_kept_in_a_file_of_its_own(tmp_path: Path) -> None:
    await _fill(tmp_path)
    before = []
    for name in ("todo.damaged", "todo.damaged-1"):
        before.append(_flip(tmp_path, 20))
        assert salvage(tmp_path)[1] == tmp_path / name
    files = _files(tmp_path)
    assert [files["todo.damaged"], files["todo.damaged-1"]] == before
    assert (tmp_path / "todo.damaged").stat().st_mode & 0o077 == 0


async def test_a_journal_cut_within_its_file_header_stops_the_start(tmp_path: Path) -> None:
    await _fill(tmp_path)
    journal = (tmp_path / JOURNAL).read_bytes()
    for size in range(FRAMES_BEGIN):
        (tmp_path / JOURNAL).write_bytes(journal[:size])
        with pytest.raises(StorageDamaged) as caught:
            await entries_in(tmp_path, QuickDisk())
        assert caught.value.offset == 0
        assert _files(tmp_path) == {JOURNAL: journal[:size]}


async def _run(command: str, folder: Path) -> Result:
    """Run a command as a process would: with an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["storage", command, str(folder)])


async def test_damage_is_found_on_the_command_line_and_salvaged_there(tmp_path: Path) -> None:
    entries = await _fill(tmp_path)
    frame = frames_in(tmp_path)[2]

    whole = await _run("check", tmp_path)
    assert whole.exit_code == 0
    assert "revision          4\nentries           4\n" in whole.output

    damaged = _flip(tmp_path, frame.start + 30)
    found = await _run("check", tmp_path)
    assert found.exit_code == 3
    assert f"{tmp_path / JOURNAL} is damaged at offset {frame.start}:" in found.output
    assert "Traceback" not in found.output
    assert _files(tmp_path) == {JOURNAL: damaged}

    salvaged = await _run("salvage", tmp_path)
    assert salvaged.exit_code == 0
    assert str(tmp_path / "todo.damaged") in salvaged.output
    assert f"unreadable bytes  {frame.end - frame.start:,}\n" in salvaged.output
    assert (tmp_path / "todo.damaged").read_bytes() == damaged

    again = await _run("check", tmp_path)
    assert again.exit_code == 0
    assert "entries           3\n" in again.output
    assert await entries_in(tmp_path) == _by_id([*entries[:2], entries[3]])


async def test_a_torn_tail_is_told_from_damage_on_the_command_line(tmp_path: Path) -> None:
    await _fill(tmp_path)
    torn = (tmp_path / JOURNAL).read_bytes()[:-7]
    (tmp_path / JOURNAL).write_bytes(torn)
    result = await _run("check", tmp_path)
    assert result.exit_code == 0
    assert "entries           3\n" in result.output
    assert "never acknowledged" in result.output
    assert _files(tmp_path) == {JOURNAL: torn}


@pytest.mark.parametrize("command", ["check", "salvage"])
def test_a_folder_without_a_journal_is_an_error_in_one_line(
    tmp_path: Path, command: str
) -> None:
    result = CliRunner().invoke(main, ["storage", command, str(tmp_path)])
    assert result.exit_code == 1
    assert JOURNAL in result.output and "Traceback" not in result.output
    assert not _files(tmp_path)


async def test_a_storage_in_use_is_not_salvaged_but_can_be_checked(tmp_path: Path) -> None:
    async with opened(tmp_path) as repository:
        await repository.save(todo(1))
        before = _files(tmp_path)
        with pytest.raises(StorageInUse):
            salvage(tmp_path)
        index, _ = read(tmp_path / JOURNAL)
        assert len(index) == 1
        assert _files(tmp_path) == before


async def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    await _fill(tmp_path)
    header = (tmp_path / JOURNAL).read_bytes()[:8] + pack("<L", VERSION + 1)
    journal = header + pack("<L", crc32(header)) + b"whatever a newer release writes"
    (tmp_path / JOURNAL).write_bytes(journal)
    with pytest.raises(UnsupportedStorage) as caught:
        await entries_in(tmp_path)
    assert str(tmp_path / JOURNAL) in str(caught.value)
    assert f"format {VERSION + 1}" in str(caught.value)
    for command in ("check", "salvage"):
        result = await _run(command, tmp_path)
        assert result.exit_code == 1
        assert f"format {VERSION + 1}" in result.output
    assert _files(tmp_path) == {JOURNAL: journal}
