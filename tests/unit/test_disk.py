"""How a file is synced, also as it is done on another system than this one."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from myapp.infrastructure.database import disk as disk_module
from myapp.infrastructure.database.disk import Disk, make_folder_of, whole_file

_FULL = 51


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which ways of syncing were taken; F_FULLFSYNC is known here as on macOS."""
    taken: list[str] = []
    monkeypatch.setattr(disk_module, "_FULL_FSYNC", _FULL)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: taken.append("fsync"))
    return taken


def _answer(monkeypatch: pytest.MonkeyPatch, calls: list[str], number: int | None) -> None:
    """Let F_FULLFSYNC succeed, or fail with this error."""

    def full_fsync(_descriptor: int, command: int) -> int:
        assert command == _FULL
        calls.append("full")
        if number is not None:
            raise OSError(number, os.strerror(number))
        return 0

    monkeypatch.setattr(fcntl, "fcntl", full_fsync)


def _sync(path: Path) -> None:
    disk = Disk()
    descriptor = disk.create(path)
    try:
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def test_where_fsync_stops_at_the_drive_its_cache_is_flushed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    _answer(monkeypatch, calls, None)
    _sync(tmp_path / "file")
    assert calls == ["full"]


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EINVAL, errno.ENOTTY])
def test_a_file_system_that_knows_no_more_than_fsync_gets_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str], number: int
) -> None:
    _answer(monkeypatch, calls, number)
    _sync(tmp_path / "file")
    assert calls == ["full", "fsync"]


def test_a_sync_that_failed_is_not_tried_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    _answer(monkeypatch, calls, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        _sync(tmp_path / "file")
    assert calls == ["full"]


def test_a_file_gets_its_name_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path, Disk()) as partial:
        partial.write_bytes(b"content")
        assert not path.exists()
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"content"


def test_of_a_file_that_could_not_be_written_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        with whole_file(tmp_path / "file", Disk()) as partial:
            partial.write_bytes(b"con")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert [*tmp_path.iterdir()] == []


def test_of_two_who_write_a_file_at_once_the_last_one_has_written_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path, Disk()) as last, whole_file(path, Disk()) as first:
        first.write_bytes(b"first")
        last.write_bytes(b"last")
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"last"


class _OddAncestor(Disk):
    """A disk on which the names in one folder cannot be synced."""

    def __init__(self, folder: Path, number: int) -> None:
        self.odd, self.number = folder, number
        self.synced: list[Path] = []

    def sync_folder(self, folder: Path) -> None:
        if folder == self.odd:
            raise OSError(self.number, os.strerror(self.number))
        self.synced.append(folder)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EINVAL])
def test_a_folder_is_made_below_one_that_cannot_be_synced(tmp_path: Path, number: int) -> None:
    disk = _OddAncestor(tmp_path / "home", number)
    make_folder_of(tmp_path / "home" / "me" / "todos" / "file", disk)
    assert (tmp_path / "home" / "me" / "todos").is_dir()
    assert {tmp_path / "home" / "me", tmp_path} <= set(disk.synced)


def test_a_disk_that_fails_below_a_new_folder_is_told(tmp_path: Path) -> None:
    disk = _OddAncestor(tmp_path / "home", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        make_folder_of(tmp_path / "home" / "todos" / "file", disk)
