"""What a crash leaves of a write that was never acknowledged is put aside, and never more."""

import logging
from pathlib import Path

import pytest

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from tests.faults.short_ways import (
    QuickDisk,
    all_entries,
    entries_in,
    frames_in,
    opened,
    todo,
)
from tests.saving import save_all

_LATER = todo(99, "saved after the crash")


async def _fill(folder: Path) -> tuple[bytes, int, list[TodoEntry]]:
    """Answer a journal, where its last frame begins, and the entries before that frame."""
    async with opened(folder, QuickDisk()) as repository:
        kept = [
            *await save_all(repository, todo(1)),
            *await save_all(repository, todo(2, notes="2")),
        ]
        await repository.save(todo(3), todo(4, tags=("last",)), *kept[1:])
    return (folder / JOURNAL).read_bytes(), frames_in(folder)[-1].start, kept


def _put(folder: Path, journal: bytes) -> Path:
    folder.mkdir()
    (folder / JOURNAL).write_bytes(journal)
    return folder


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]


async def test_a_journal_cut_anywhere_in_its_last_frame_opens_with_all_that_stood_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, last, kept = await _fill(tmp_path / "whole")
    for cut in range(last + 1, len(journal)):
        folder = _put(tmp_path / str(cut), journal[:cut])
        caplog.clear()
        async with opened(folder, QuickDisk()) as repository:
            assert await all_entries(repository) == {entry.id: entry for entry in kept}, cut
            (later,) = await save_all(repository, _LATER)
        torn = folder / "todo.torn"
        assert torn.read_bytes() == journal[last:cut]
        assert torn.stat().st_mode & 0o077 == 0
        (warning,) = _warnings(caplog)
        assert str(torn) in warning and f" {cut - last} bytes " in warning
        expected = {entry.id: entry for entry in [*kept, later]}
        assert await entries_in(folder, QuickDisk()) == expected, cut
        assert {path.name for path in folder.iterdir()} == {JOURNAL, "todo.torn", "lock"}


async def test_a_journal_cut_between_two_frames_has_no_torn_tail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, last, kept = await _fill(tmp_path / "whole")
    folder = _put(tmp_path / "cut", journal[:last])
    assert await entries_in(folder) == {entry.id: entry for entry in kept}
    assert not (folder / "todo.torn").exists()
    assert not _warnings(caplog)


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(bytes(1), id="a zero"),
        pytest.param(bytes(10_000), id="blocks that were never written"),
        pytest.param(bytes(range(256)) * 3, id="garbage"),
        pytest.param("⅞ FRAME\n".encode() * 50, id="text"),
    ],
)
async def test_a_tail_that_is_no_frame_is_put_aside(tmp_path: Path, tail: bytes) -> None:
    journal, _, _ = await _fill(tmp_path / "whole")
    expected = await entries_in(tmp_path / "whole")
    folder = _put(tmp_path / "torn", journal + tail)
    assert await entries_in(folder) == expected
    assert (folder / "todo.torn").read_bytes() == tail
    assert (folder / JOURNAL).read_bytes() == journal


async def test_a_frame_with_a_changed_byte_at_the_very_end_is_put_aside(tmp_path: Path) -> None:
    journal, last, kept = await _fill(tmp_path / "whole")
    for offset in range(last, len(journal)):
        changed = bytearray(journal)
        changed[offset] ^= 0x10
        folder = _put(tmp_path / str(offset), bytes(changed))
        assert await entries_in(folder, QuickDisk()) == {entry.id: entry for entry in kept}
        assert (folder / "todo.torn").read_bytes() == changed[last:]


async def test_every_torn_tail_is_kept_in_a_file_of_its_own(tmp_path: Path) -> None:
    journal, last, _ = await _fill(tmp_path / "whole")
    folder = _put(tmp_path / "torn", journal[: last + 30])
    await entries_in(folder)
    for tail in (b"second", b"third"):
        with (folder / JOURNAL).open("ab") as file:
            file.write(tail)
        await entries_in(folder)
    names = ("todo.torn", "todo.torn-1", "todo.torn-2")
    tails = [(folder / name).read_bytes() for name in names]
    assert tails == [journal[last : last + 30], b"second", b"third"]
    assert not (folder / "todo.torn-3").exists()


async def test_a_start_after_a_torn_tail_was_put_aside_has_nothing_to_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, last, _ = await _fill(tmp_path / "whole")
    folder = _put(tmp_path / "torn", journal[:-1])
    await entries_in(folder)
    caplog.clear()
    await entries_in(folder)
    assert not _warnings(caplog)
    assert (folder / JOURNAL).read_bytes() == journal[:last]
    assert [path.name for path in folder.glob("todo.torn*")] == ["todo.torn"]
