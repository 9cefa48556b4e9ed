"""The system calls that durability rests on, and how they are used so that it does."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import mkstemp

_UNKNOWN = {errno.ENOTSUP, errno.EINVAL, errno.ENOTTY}
_OLDER = {errno.EACCES, errno.EPERM, *_UNKNOWN}  # somebody else's folder, or an automounter's
_NAME_MOST = 100  # bytes of a name that others are made of, which may have 255
_PARTIAL = ".partial"
_FULL_FSYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


class Disk:
    """What the journal asks of the operating system; tests put one in that fails or tells.

    Every call raises OSError as the system does.
    """

    def create(self, path: Path) -> int:
        """Answer a descriptor of a new, empty file that only its owner may read."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def open(self, path: Path) -> int:
        """Answer a descriptor of a file that is there, to write to."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of the data at the offset."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(descriptor, rest, offset)
            rest, offset = rest[written:], offset + written

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file off at so many bytes."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Answer once the file would survive a power cut.

        On macOS fsync only reaches the drive's cache; F_FULLFSYNC goes on from there, where
        the file system knows it.
        """
        if _FULL_FSYNC is not None:
            try:
                fcntl.fcntl(descriptor, _FULL_FSYNC)
                return
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
        os.fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Give a file another's name, in one step."""
        os.replace(source, target)

    def sync_folder(self, folder: Path) -> None:
        """Answer once the names in the folder would survive a power cut."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)


def make_folder_of(file: Path, disk: Disk) -> None:
    """Make the folder of a file, to be there after a power cut; raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists():
        return
    # Some of them may be new, made just now or by a process that was killed right then.
    for folder in file.parent.parents:
        try:
            disk.sync_folder(folder)
        except OSError as error:
            if error.errno not in _OLDER:
                raise


def unused(path: Path) -> Path:
    """Answer the path, or the first of its numbered variants that no file has."""
    number = 1
    candidate = path
    while candidate.exists():
        candidate = path.with_name(f"{path.name}-{number}")
        number += 1
    return candidate


@contextmanager
def whole_file(path: Path, disk: Disk) -> Iterator[Path]:
    """Answer an empty file, to be written and synced, that takes the path's place at the end.

    Only its owner may read it. Whatever fails removes it and leaves the path as it was.
    """
    descriptor, name = mkstemp(_PARTIAL, _beginning(path), path.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        disk.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    disk.sync_folder(path.parent)


def remove_remains(path: Path) -> None:
    """Remove what killed processes have left of a whole file, which nobody may write now.

    SQLite has a file of its own beside one that it was writing.
    """
    for left in path.parent.glob(f"{escape(_beginning(path))}*{_PARTIAL}*"):
        left.unlink()


def _beginning(path: Path) -> str:
    """Answer what the names begin with of what is going to take the path's place."""
    return f".{os.fsencode(path.name)[:_NAME_MOST].decode(errors='ignore')}."
