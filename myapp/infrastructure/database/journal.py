"""The journal: one append-only file of frames, with what keeps it whole in any crash."""

import errno
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from myapp.infrastructure.database.disk import Disk, unused
from myapp.infrastructure.database.errors import StorageDamaged
from myapp.infrastructure.database.frames import (
    FRAMES_BEGIN,
    VERSION,
    file_header,
    format_version,
    frame,
    read_frames,
)

_log = logging.getLogger(__name__)


class Journal:
    """Payloads in the order they were appended. Blocking, for one thread at a time.

    `broken` says that the file can no longer be trusted to take what is appended, since it
    did not confirm what it was asked to keep; only rewriting mends that. A failed fsync is
    not tried again: the system may have dropped what it could not write and forgotten so.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.broken = True
        self._fresh = path.with_suffix(".new")
        self._disk = disk
        self._descriptor: int | None = None
        self._size = 0

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self._size

    def open(self, take: Callable[[bytes], None]) -> None:
        """Hand over every payload, then be ready to append; a missing file is begun.

        A torn tail is moved to a file beside the journal. `take` raises ValueError for what
        it cannot understand. Raises StorageDamaged, with the file as it was.
        """
        self._fresh.unlink(missing_ok=True)  # of a rewrite that was killed
        if not self.path.exists():
            self.rewrite([])
            return
        data = self.path.read_bytes()
        last, self._size = replay(data, self.path, take)
        self._descriptor = self._disk.open(self.path)
        self._put_tail_aside(self._descriptor, data[self._size :])
        # The process before may have been killed before, or after, its last sync failed: then
        # the system may take for kept what it has dropped, unless it is written again.
        self._disk.write(self._descriptor, data[last : self._size], last)
        self._disk.sync(self._descriptor)
        self._disk.sync_folder(self.path.parent)
        if format_version(data, self.path) != VERSION:
            self.rewrite(found.payload for found in read_frames(data, self.path))
        self.broken = False

    def check(self) -> None:
        """Raise OSError unless the file is where it was, and as long as it was.

        Rewriting mends that it is missing. What somebody else has put there, or written to
        it, stays as it is, since that may be nowhere else.
        """
        found = self._find()
        if found is None:
            self.broken = True
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        if found.st_size != self._size:
            raise OSError(f"somebody else has written to {self.path}")

    def append(self, payload: bytes) -> None:
        """Keep the payload; once this returns, it survives a power cut.

        Raises OSError; the payload is then not in the journal, or the journal is broken.
        """
        if self.broken or self._descriptor is None:
            raise OSError(f"{self.path} has to be rewritten first")
        data = frame(payload)
        try:
            self._disk.write(self._descriptor, data, self._size)
        except BaseException:  # memory may be used up, too
            self._cut_back(self._descriptor)
            raise
        try:
            self._disk.sync(self._descriptor)
        except BaseException:
            self._cut_back(self._descriptor)  # or a next process would take it for stored
            self.broken = True
            raise
        self._size += len(data)

    def rewrite(self, payloads: Iterable[bytes]) -> None:
        """Put a new file with these payloads in the place of the old one.

        Raises OSError; the old file is then untouched, or the journal is broken.
        """
        self._find()
        descriptor = self._disk.create(self._fresh)
        try:
            size = self._fill(descriptor, payloads)
            self._disk.sync(descriptor)
            self._disk.replace(self._fresh, self.path)
        except BaseException:
            os.close(descriptor)
            self._fresh.unlink(missing_ok=True)
            raise
        former, self._descriptor, self._size = self._descriptor, descriptor, size
        self.broken = True
        if former is not None:
            os.close(former)
        self._disk.sync_folder(self.path.parent)
        self.broken = False

    def close(self) -> None:
        """Give the file back to the system. Nothing is pending: appending has kept it all."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _find(self) -> os.stat_result | None:
        """Answer what the system says of the file; raises OSError if it is not the one."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        if self._descriptor is not None:
            if not os.path.samestat(found, os.fstat(self._descriptor)):
                raise OSError(f"somebody else has put another file in place of {self.path}")
        return found

    def _fill(self, descriptor: int, payloads: Iterable[bytes]) -> int:
        header = file_header()
        self._disk.write(descriptor, header, 0)
        size = len(header)
        for payload in payloads:
            data = frame(payload)
            self._disk.write(descriptor, data, size)
            size += len(data)
        return size

    def _cut_back(self, descriptor: int) -> None:
        try:
            self._disk.truncate(descriptor, self._size)
        except OSError:
            self.broken = True

    def _put_tail_aside(self, descriptor: int, tail: bytes) -> None:
        if not tail:
            return
        aside = unused(self.path.with_suffix(".torn"))
        copy = self._disk.create(aside)
        try:
            self._disk.write(copy, tail, 0)
            self._disk.sync(copy)
            self._disk.sync_folder(aside.parent)
            self._disk.truncate(descriptor, self._size)
        except BaseException:
            aside.unlink()
            raise
        finally:
            os.close(copy)
        _log.warning(
            "%s ended in %d bytes of a write that was never acknowledged; moved to %s",
            self.path,
            len(tail),
            aside,
        )


def replay(data: bytes, path: Path, take: Callable[[bytes], None]) -> tuple[int, int]:
    """Hand over every payload of a journal; answer where its last whole frame starts and ends.

    Raises StorageDamaged, also where `take` raises ValueError, and UnsupportedStorage.
    """
    start = end = FRAMES_BEGIN
    for found in read_frames(data, path):
        try:
            take(found.payload)
        except ValueError as error:
            raise StorageDamaged(path, found.start, str(error)) from error
        start, end = found.start, found.end
    return start, end
