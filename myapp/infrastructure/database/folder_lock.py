"""One process at a time owns a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from myapp.infrastructure.database.errors import StorageInUse

LOCK = "lock"
"""The name of the file, in its folder, that the lock is on."""


class FolderLock:
    """A lock on a file in the folder; the system gives it back however a process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOCK
        self._descriptor = self._take()

    def check(self) -> None:
        """Raise OSError or StorageInUse unless the folder is where it was, and still ours.

        One that was made again in its place, on the same disk, is taken.
        """
        held = os.fstat(self._descriptor)
        with suppress(FileNotFoundError):
            if os.path.samestat(held, self._path.stat()):
                return
        if self._folder.stat().st_dev != held.st_dev:  # a disk was unmounted, perhaps
            raise OSError(f"{self._folder} is on another disk than it was")
        former, self._descriptor = self._descriptor, self._take()
        os.close(former)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)

    def _take(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except BaseException as error:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise StorageInUse(self._folder, owner) from error
            raise
        return descriptor


@contextmanager
def folder_lock(folder: Path) -> Iterator[FolderLock]:
    """Own the folder meanwhile; raises StorageInUse if another process does."""
    lock = FolderLock(folder)
    try:
        yield lock
    finally:
        lock.release()
