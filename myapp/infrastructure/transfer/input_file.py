"""A file to be imported, which is read several times and must not change meanwhile."""

import hashlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import fstat
from typing import BinaryIO
from uuid import UUID, uuid5

from myapp.infrastructure.transfer.entry_lines import LINE_MOST
from myapp.infrastructure.transfer.errors import FileChanged
from myapp.infrastructure.transfer.formats import Format, Record

_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20


class InputFile:
    """A file in one of the formats; `lines` counts them, and what follows the last."""

    def __init__(self, file: BinaryIO, name: str, format: Format) -> None:
        self.name = name
        self.lines = 1
        self._file = file
        self._format = format
        self._hash = hashlib.sha256()
        file.seek(0)
        while chunk := file.read(_CHUNK):
            self._hash.update(chunk)
            self.lines += chunk.count(b"\n")

    def records(self) -> Iterator[Record]:
        """Read the file from its beginning; raises FileChanged at its end, and BadInput."""
        return self._format.records(self._read())

    def id_of(self, number: int) -> UUID:
        """Answer the id of an entry on this line that has none, always the same one."""
        return uuid5(UUID(bytes=self._hash.digest()[:16]), str(number))

    def _read(self) -> Iterator[bytes]:
        """Answer the lines without a byte order mark, long ones cut off after LINE_MOST."""
        seen = hashlib.sha256()
        self._file.seek(0)
        if (start := self._file.read(len(_BOM))) == _BOM:
            seen.update(start)
        else:
            self._file.seek(0)
        while line := self._file.readline(LINE_MOST + 1):
            seen.update(line)
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = self._file.readline(LINE_MOST)
                seen.update(rest)
            yield line
        if seen.digest() != self._hash.digest():
            raise FileChanged(self.name)


@contextmanager
def rereadable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Answer the file or, if it is a pipe, a temporary one with all that comes from it."""
    if stat.S_ISREG(fstat(file.fileno()).st_mode):
        yield file
        return
    with tempfile.TemporaryFile() as spooled:
        shutil.copyfileobj(file, spooled)
        yield spooled
