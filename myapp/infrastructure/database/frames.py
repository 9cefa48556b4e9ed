"""Frames: how payloads lie in a file so that damage to any byte is noticed.

A file starts with a file header: magic number, format version, checksum of the two. Each
frame is a header (magic number, length of the payload, checksum of the payload, checksum
of these three) and the payload. Numbers are little-endian, checksums CRC-32 (ISO 3309).
The frames' magic number is longer than an id and made of bytes that UTF-8 never contains: no
id and no text that a client sends can look like it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from struct import Struct
from zlib import crc32

from myapp.infrastructure.database.errors import StorageDamaged, UnsupportedStorage

VERSION = 3

_FILE_MAGIC = b"\xf5\xf6TODOJN"
_FRAME_MAGIC = bytes(range(0xF5, 0x100)) + bytes(range(0xF5, 0xFE))
_FILE_HEADER = Struct("<8sLL")
_FRAME_HEADER = Struct("<20sQLL")
_CHECKSUM_SIZE = 4

FRAMES_BEGIN = _FILE_HEADER.size
"""The offset of the first frame in a file."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A payload whose checksums hold, and the offsets where its frame begins and ends."""

    payload: bytes
    start: int
    end: int


def file_header() -> bytes:
    """Answer what a file of frames starts with."""
    header = _FILE_HEADER.pack(_FILE_MAGIC, VERSION, 0)[:-_CHECKSUM_SIZE]
    return header + crc32(header).to_bytes(_CHECKSUM_SIZE, "little")


def frame(payload: bytes) -> bytes:
    """Answer the frame of a payload."""
    header = _FRAME_HEADER.pack(_FRAME_MAGIC, len(payload), crc32(payload), 0)
    header = header[:-_CHECKSUM_SIZE]
    return header + crc32(header).to_bytes(_CHECKSUM_SIZE, "little") + payload


def read_frames(data: bytes, path: Path) -> Iterator[Frame]:
    """Answer the frames of a file, in order, up to its end or to a torn tail.

    A tail is torn if it is no whole frame and no frame's header follows: what a crash may
    leave of a write that was never acknowledged. Raises StorageDamaged where one follows,
    UnsupportedStorage if a newer release wrote the file.
    """
    if format_version(data, path) is None:
        raise StorageDamaged(path, 0, "it does not begin like a journal")
    offset = FRAMES_BEGIN
    while (found := _frame_at(data, offset, len(data))) is not None:
        yield found
        offset = found.end
    if next(_headers(data, offset + 1), None) is not None:
        raise StorageDamaged(path, offset, "what was written there has changed since")


def salvage_frames(data: bytes, path: Path) -> Iterator[Frame]:
    """Answer every whole frame of a file, whatever lies between; none lies in another.

    Raises UnsupportedStorage if a newer release wrote the file.
    """
    format_version(data, path)
    for start, following in pairwise([*_headers(data, 0), len(data)]):
        if (found := _frame_at(data, start, following)) is not None:
            yield found


def format_version(data: bytes, path: Path) -> int | None:
    """Answer the format of the file, None if it does not begin like a journal.

    Raises UnsupportedStorage if a newer release wrote the file.
    """
    header = data[:FRAMES_BEGIN]
    if len(header) < FRAMES_BEGIN:
        return None
    magic, version, checksum = _FILE_HEADER.unpack(header)
    if magic != _FILE_MAGIC or checksum != crc32(header[:-_CHECKSUM_SIZE]):
        return None
    if version > VERSION:
        raise UnsupportedStorage(
            f"{path} has format {version} and this release knows formats up to {VERSION}:"
            " start the newer release that wrote it."
        )
    return int(version)


def _frame_at(data: bytes, start: int, following: int) -> Frame | None:
    """Answer the frame that starts there, if it is whole and ends before what follows."""
    if (header := _header_at(data, start)) is None:
        return None
    length, checksum = header
    begin = start + _FRAME_HEADER.size
    payload = data[begin : min(begin + length, following)]
    if len(payload) < length or crc32(payload) != checksum:
        return None
    return Frame(payload, start, begin + length)


def _header_at(data: bytes, start: int) -> tuple[int, int] | None:
    """Answer length and checksum of the payload, if a frame's header stands there."""
    header = data[start : start + _FRAME_HEADER.size]
    if len(header) < _FRAME_HEADER.size:
        return None
    magic, length, payload_checksum, checksum = _FRAME_HEADER.unpack(header)
    if magic != _FRAME_MAGIC or checksum != crc32(header[:-_CHECKSUM_SIZE]):
        return None
    return length, payload_checksum


def _headers(data: bytes, start: int) -> Iterator[int]:
    """Answer the offsets of all frames' headers from an offset on."""
    while (start := data.find(_FRAME_MAGIC, start)) >= 0:
        if _header_at(data, start) is not None:
            yield start
        start += 1
