"""A backup: one portable text file that can be checked by itself.

The first line is a header, then comes one line for each entry in the order of their ids,
and last a trailer with their fingerprint and the SHA-256 of all that stands before it.
Every line ends in a line feed; nothing follows the trailer.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.transfer.entry_lines import (
    LINE_MOST,
    Moment,
    decode,
    encode,
    read_object,
)
from myapp.infrastructure.transfer.errors import BackupDamaged, BadLine
from myapp.infrastructure.transfer.fingerprint import Fingerprint, Fingerprinter
from myapp.infrastructure.transfer.partial_file import PartialFile

Count = Annotated[int, Field(ge=0, lt=2**53)]  # what JSON can tell to everybody


class Header(BaseModel):
    """What stands in the first line: what the file is, and what is to come."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: Literal["todo backup"] = "todo backup"
    version: Literal[1] = 1
    created: Moment
    revision: Count
    count: Count


class BackupWriter:
    """Writes a backup from its beginning to its end."""

    def __init__(self, file: PartialFile, header: Header) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._fingerprinter = Fingerprinter()
        self._write(header.model_dump_json().encode("utf-8"))

    def add(self, entry: TodoEntry) -> None:
        """Write the next entry."""
        line = encode(entry)
        self._fingerprinter.add_line(line)
        self._write(line)

    def finish(self) -> Fingerprint:
        """Write the trailer, and answer the fingerprint of the entries."""
        fingerprint = self._fingerprinter.fingerprint
        self._write(_trailer(fingerprint, self._hash.hexdigest()))
        return fingerprint

    def _write(self, line: bytes) -> None:
        self._hash.update(line + b"\n")
        self._file.write(line + b"\n")


class BackupReader:
    """Reads a backup from its beginning to its end, and believes nothing.

    Raises BackupDamaged as soon as something is wrong, which may be in the last line.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        file.seek(0)
        self._file = file
        self._path = path
        self._number = 0
        self._hash = hashlib.sha256()
        self._fingerprinter = Fingerprinter()
        self.header = self._read_header()

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the entries read up to now."""
        return self._fingerprinter.fingerprint

    def __iter__(self) -> Iterator[TodoEntry]:
        former = -1
        for _ in range(self.header.count):
            line = self._line()
            try:
                entry = decode(line)
            except BadLine as error:
                raise self._damage(str(error)) from error
            if entry.revision > self.header.revision:
                raise self._damage("has a later revision than the store")
            if entry.id.int <= former:
                raise self._damage("is not in the order of the ids")
            former = entry.id.int
            self._fingerprinter.add_line(line)
            yield entry
        trailer = _trailer(self.fingerprint, self._hash.hexdigest())
        if self._line() != trailer:
            raise self._damage("does not confirm what stands before it")
        if self._file.read(1):
            self._number += 1
            raise self._damage("follows the end")

    def _read_header(self) -> Header:
        line = self._line()
        try:
            values = read_object(line)
            if values.get("format") == "todo backup" and values.get("version") != 1:
                raise self._damage("names a version that this release does not know")
            return Header.model_validate(values)
        except (BadLine, ValidationError) as error:
            raise self._damage("is not the header of a backup") from error

    def _line(self) -> bytes:
        line = self._file.readline(LINE_MOST)
        self._number += 1
        if not line.endswith(b"\n"):
            raise self._damage("breaks off" if len(line) < LINE_MOST else "does not end")
        self._hash.update(line)
        return line[:-1]

    def _damage(self, reason: str) -> BackupDamaged:
        return BackupDamaged(self._path, self._number, reason)


def header(*, created: datetime, revision: int, count: int) -> Header:
    """Answer the header of a backup made at that time."""
    return Header.model_construct(created=created, revision=revision, count=count)


def _trailer(fingerprint: Fingerprint, sha256: str) -> bytes:
    """Answer the one trailer that confirms these entries, and these bytes before it."""
    values = {"count": fingerprint.entries, "digest": fingerprint.digest, "sha256": sha256}
    return json.dumps(values, separators=(",", ":")).encode("ascii")
