"""The files that entries are exported to and imported from: JSON Lines and CSV.

JSON Lines is an entry a line, as the API answers it. CSV (RFC 4180) has a heading with the
same field names, tags joined by a space, true or false for done, and nothing for null. It
carries every entry, but no types: an empty field is read as one left out. A spreadsheet
changes what it opens (dates, leading zeros, what looks like a formula) and may run what
begins with "=": to pass entries on unchanged, use JSON Lines.
"""

import csv
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.transfer.entry_lines import (
    FIELDS,
    LINE_MOST,
    encode,
    read_object,
)
from myapp.infrastructure.transfer.errors import BadInput, BadLine

_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_END = b"\r\n"


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says of one entry: its first line's number, and the values, or a flaw."""

    number: int
    values: Mapping[str, object] | BadLine

    def told(self) -> Mapping[str, object]:
        """Answer the values; raises BadLine if they cannot be read."""
        if isinstance(self.values, BadLine):
            raise self.values
        return self.values


class Format(ABC):
    """How entries are written to a file, and read from one."""

    heading: bytes = b""
    """What a file begins with."""

    @abstractmethod
    def encode(self, entry: TodoEntry) -> bytes:
        """Answer what an entry adds to a file."""

    @abstractmethod
    def records(self, lines: Iterator[bytes]) -> Iterator[Record]:
        """Read lines with their ends; raises BadInput if nothing can be made of them.

        Lines of more than LINE_MOST bytes may be cut off, but not to fewer.
        """


class JsonLines(Format):
    """A JSON object a line; lines with nothing but white space are passed over."""

    def encode(self, entry: TodoEntry) -> bytes:
        return encode(entry) + b"\n"

    def records(self, lines: Iterator[bytes]) -> Iterator[Record]:
        for number, line in enumerate(lines, 1):
            if not line.isspace():
                yield Record(number, _json_values(line))


class Csv(Format):
    """A heading with the names of the fields, in any order, and a row for each entry."""

    heading = ",".join(FIELDS).encode("ascii") + _END

    def encode(self, entry: TodoEntry) -> bytes:
        values = read_object(encode(entry))
        row = io.StringIO(newline="")
        csv.writer(row).writerow(_cell(values[name]) for name in FIELDS)
        return row.getvalue().encode("utf-8")

    def records(self, lines: Iterator[bytes]) -> Iterator[Record]:
        rows = csv.reader(map(_text, lines), strict=True)
        names = _names(rows)
        while True:
            number = rows.line_num + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                if str(error).startswith("unexpected end"):
                    raise BadInput(
                        f"line {number:,}: a quoted field is never closed"
                    ) from error
                yield Record(number, BadLine(f"is not CSV: {_brief(error)}"))
                continue  # the reader goes on with the next line
            if cells:
                yield Record(number, _csv_values(names, cells))


FORMATS: Mapping[str, Format] = {"jsonl": JsonLines(), "csv": Csv()}


def format_of(name: str) -> Format:
    """Answer the format that the end of a file's name tells, JSON Lines by default."""
    return FORMATS["csv" if name.lower().endswith(".csv") else "jsonl"]


def _json_values(line: bytes) -> Mapping[str, object] | BadLine:
    if len(line) > LINE_MOST:
        return BadLine(f"has more than {LINE_MOST:,} bytes")
    try:
        return read_object(line)
    except BadLine as flaw:
        return flaw


def _text(line: bytes) -> str:
    """Answer the text; where there is none, it has a lone surrogate, as no text may."""
    if len(line) > LINE_MOST:
        return "\ud800\n"
    return line.decode("utf-8", "surrogateescape")


def _brief(error: csv.Error) -> str:
    """Answer what is wrong, without the advice to whoever opened the file."""
    return str(error).partition(" - ")[0]


def _names(rows: Iterator[Sequence[str]]) -> Sequence[str]:
    """Answer the names of the columns; raises BadInput unless they are fields."""
    try:
        names = next(rows, [])
    except csv.Error as error:
        raise BadInput(f"line 1 is not CSV: {_brief(error)}") from error
    if "content" not in names:
        raise BadInput("line 1 is no heading with a column named content")
    unknown = [name for name in names if name not in FIELDS]
    if unknown or len(set(names)) < len(names):
        told = f"{ascii(unknown[0])[:100]} is none" if unknown else "one is there twice"
        raise BadInput(f"line 1: columns are {', '.join(FIELDS)}, and {told}")
    return names


def _csv_values(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, object] | BadLine:
    if any(map(_SURROGATE.search, cells)):
        return BadLine(f"is not UTF-8, or a line of it has more than {LINE_MOST:,} bytes")
    if len(cells) != len(names):
        return BadLine(f"has {len(cells)} fields, not {len(names)} as the heading has")
    return {name: _value(name, cell) for name, cell in zip(names, cells) if cell}


def _value(name: str, cell: str) -> object:
    """Answer what a cell says; one that says nothing sensible is left for the schema."""
    match name:
        case "tags":
            return cell.split()
        case "done" if cell.lower() in {"true", "false"}:  # spreadsheets shout them
            return cell.lower() == "true"
        case "revision" if _NUMBER.fullmatch(cell):
            return int(cell)
    return cell


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return " ".join(value)
    return str(value)
