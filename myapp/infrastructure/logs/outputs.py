"""Where lines of the log go: standard error, and a file that does not grow for ever."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from select import PIPE_BUF

LARGEST = 10_000_000
"""The bytes that a file may have before it is put aside."""

KEPT = 5
"""So many files that were put aside are kept."""

_PERMISSIONS = 0o640


class LogFileUnavailable(OSError):
    """The file for the log cannot be written; the message says why and what to do."""


class Stream:
    """What a process was started with: a pipe, a terminal, a file."""

    def __init__(self, descriptor: int) -> None:
        """Keep the stream, wherever the number may lead later."""
        self._descriptor = os.dup(descriptor)

    def write(self, lines: Sequence[bytes]) -> None:
        """Write whole lines at once, so that those of several processes do not mix."""
        for piece in _pieces(lines):
            _write_all(self._descriptor, piece)


class RotatedFile:
    """A file that is put aside when it is full; several processes may write the same.

    It may also be moved or removed by others: it is made anew.
    """

    def __init__(self, path: Path, *, largest: int = LARGEST, kept: int = KEPT) -> None:
        """Open the file; raises LogFileUnavailable."""
        self._path = path
        self._largest = largest
        self._kept = kept
        try:
            self._descriptor = _open(path)
        except OSError as error:
            raise LogFileUnavailable(
                f"{path} cannot be written ({error.strerror}): set TODOAPP_LOG_FILE to a file"
                " in a folder that can be written, or leave it out."
            ) from error

    def write(self, lines: Sequence[bytes]) -> None:
        """Write whole lines, to the next file if this one is full."""
        data = b"".join(lines)
        size = os.fstat(self._descriptor).st_size
        if size and size + len(data) > self._largest:
            self._put_aside()
        if not self._is_in_place():
            self._reopen()
        _write_all(self._descriptor, data)

    def _put_aside(self) -> None:
        with suppress(OSError):  # if it must, it grows
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                if self._is_in_place():  # no other process was faster
                    file = Path(os.path.realpath(self._path))  # or a link would be put aside
                    self._make_room(file)
                    file.replace(_aside(file, 1))
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _make_room(self, file: Path) -> None:
        for number in range(self._kept - 1, 0, -1):
            with suppress(FileNotFoundError):
                _aside(file, number).replace(_aside(file, number + 1))

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        descriptor = _open(self._path)
        os.close(self._descriptor)
        self._descriptor = descriptor


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
    return os.open(path, flags, _PERMISSIONS)


def _aside(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")


def _pieces(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Answer the lines in pieces that a pipe takes as a whole, unless a line is longer."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > PIPE_BUF:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield b"".join(piece)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
