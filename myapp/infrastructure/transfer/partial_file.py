"""A file that gets its name only once it is whole."""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from myapp.infrastructure.database.disk import Disk, whole_file
from myapp.infrastructure.transfer.errors import FileRefused


class PartialFile:
    """A file beside the one that it is going to be."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def write(self, data: bytes) -> None:
        """Append the data."""
        with self._named():
            self._file.write(data)

    def sync(self) -> None:
        """Answer once what was written is readable, and would survive a power cut."""
        with self._named():
            self._file.flush()
            Disk().sync(self._file.fileno())

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error say which file it is about, as the system does not."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error


@contextmanager
def partial_file(
    path: Path, *, force: bool, apart_from: Collection[Path] = ()
) -> Iterator[PartialFile]:
    """Answer a file, to be written and synced, that takes the path's place at the end.

    Only its owner may read it. Whatever fails removes it and leaves the path as it was.
    Raises FileRefused unless the path is free or, with `force`, a regular file; and for
    those that it has to be `apart_from`, which hold what is being written.
    """
    path = _resolved(path)  # a link goes on to lead to where it leads
    _check_apart(path, apart_from)
    _check_free(path, force)
    with whole_file(path, Disk()) as partial:
        file = open(partial, "wb")
        try:
            yield PartialFile(partial, file)
            file.close()
        except BaseException:
            with suppress(OSError):  # of writing what is left over, which is of no use now
                file.close()
            raise
        _check_free(path, force)


def _resolved(path: Path) -> Path:
    """Answer where links lead, as far as they do: Path.resolve raises what is no OSError."""
    return Path(os.path.realpath(path))


def _check_apart(path: Path, files: Collection[Path]) -> None:
    for file in files:
        if path == _resolved(file) or path.exists() and file.exists() and path.samefile(file):
            raise FileRefused(f"{path} belongs to the storage itself: name another file.")


def _check_free(path: Path, force: bool) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise FileRefused(f"{path} is no regular file: name another one.")
    if not force:
        raise FileRefused(f"{path} exists: name another file, or replace it with --force.")
