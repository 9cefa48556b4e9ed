"""Journals to be changed at random, and what a start and salvage may make of them then.

`journals` are changed as they lie on a disk: the checksums tell. In `records` a payload is
changed and its checksums are made right again, so that what lies behind them is reached.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random
from struct import pack
from uuid import UUID
from zlib import crc32

from pytest import raises

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt, TodoQuery
from myapp.infrastructure.database.contents import Contents, encode_all
from myapp.infrastructure.database.errors import (
    StorageDamaged,
    StorageOpeningError,
    UnsupportedStorage,
)
from myapp.infrastructure.database.frames import (
    FRAMES_BEGIN,
    VERSION,
    file_header,
    format_version,
    frame,
    read_frames,
)
from myapp.infrastructure.database.journal import Journal, replay
from myapp.infrastructure.database.pickle_salvage import read, salvage, salvaged
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.records import decode, encode_changes
from myapp.infrastructure.transfer.entry_lines import encode as encode_line
from tests.faults.fuzzing import Fuzz
from tests.faults.journals import version_1, version_2, version_3
from tests.faults.mutations import Mutator, rearranged
from tests.faults.short_ways import MOMENT, QuickDisk, todo

_Held = tuple[int, int, Mapping[UUID, TodoEntry], Sequence[Change], Mapping[str, Receipt]]
"""Revision and beginning of a storage, its entries, changes and receipts."""

_PATH = Path(JOURNAL)
_IN_FILES = 0.02
"""How many of the cases are also tried as files, which takes ten times as long."""

_CHECKSUM_SIZE = 4
_MAGIC_SIZE = 20
_HEADER_SIZE = 36


class _Original:
    """A journal as it was written."""

    def __init__(self, data: bytes) -> None:
        found = list(read_frames(data, _PATH))
        self.data = data
        self.payloads = [frame.payload for frame in found]
        self.frames = [data[frame.start : frame.end] for frame in found]
        self.tail = data[found[-1].end :]

    def frames_of(self, data: bytes) -> tuple[list[int], int]:
        """Answer which of its frames stand at the beginning of a file, and where they end."""
        numbers: list[int] = []
        offset = FRAMES_BEGIN
        while (number := self._frame_at(data, offset)) is not None:
            numbers.append(number)
            offset += len(self.frames[number])
        return numbers, offset

    def frames_anywhere_in(self, data: bytes) -> tuple[int, ...]:
        """Answer which of its frames a file has somewhere, each once."""
        return tuple(number for number, whole in enumerate(self.frames) if whole in data)

    @lru_cache(maxsize=10_000)
    def held_by(self, numbers: tuple[int, ...]) -> _Held:
        """Answer what these of its frames hold, in its order."""
        contents = Contents()
        for number in numbers:
            contents.take(decode(self.payloads[number]))
        return _held(contents)

    @lru_cache(maxsize=10_000)
    def salvaged_from(self, numbers: tuple[int, ...]) -> tuple[int, Mapping[UUID, TodoEntry]]:
        """Answer the last revision, and the last states, that these of its frames tell of."""
        revision = 0
        states: dict[UUID, TodoEntry] = {}
        for number in numbers:
            record = decode(self.payloads[number])
            revision = max(revision, record.revision)
            states |= {entry.id: entry for entry in (*record.entries, *record.changes)}
        return revision, {id: state for id, state in states.items() if not state.removed}

    def _frame_at(self, data: bytes, offset: int) -> int | None:
        for number, whole in enumerate(self.frames):
            if data.startswith(whole, offset):
                return number
        return None


class _Journals(Fuzz):
    """Whatever happens to a file, what is read from it stood there, whole and in order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._originals = _originals()

    async def try_one(self, random: Random) -> str:
        original = random.choice(self._originals)
        data = _changed(random, original)
        _check_salvaged(data, original)
        try:
            contents = _read(data)
        except StorageOpeningError as error:
            outcome = f"refused: {type(error).__name__}"
        else:
            outcome = _outcome(original, data, _held(contents))
        if random.random() < _IN_FILES:
            _check_files(self.folder / "storage", data)
        return outcome


class _Records(Fuzz):
    """What is no record is refused at no cost, and what is taken for one can be kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._originals = _originals()

    async def try_one(self, random: Random) -> str:
        payloads = list(random.choice(self._originals).payloads)
        number = random.randrange(len(payloads))
        payloads[number] = _changed_payload(random, payloads[number])
        data = file_header() + b"".join(map(frame, payloads))
        salvaged(data, _PATH)
        if random.random() < _IN_FILES:
            _check_files(self.folder / "storage", data)
        try:
            _check_kept(_read(data))
        except StorageDamaged:
            return "refused"
        return "taken"


class _Bombs(Fuzz):
    """A payload that asks for much memory or time, or for a deep stack, is refused."""

    async def try_one(self, random: Random) -> str:
        name = random.choice(list(_BOMBS))
        with raises(ValueError, match="not a record"):
            decode(_BEGIN + _BOMBS[name] + b"u.")
        return f"refused: {name}"


KINDS = {"journals": _Journals, "records": _Records, "bombs": _Bombs}


def _journals() -> Iterator[bytes]:
    """Answer a journal of each version, one with a torn tail, and one never compacted."""
    for version in (version_1, version_2, version_3):
        yield (version.FOLDER / JOURNAL).read_bytes()
    entries = [replace(todo(number, notes="n" * number), revision=number) for number in (1, 2)]
    changes = [
        replace(entry, tags=("a", "b"), revision=entry.revision + 2) for entry in entries
    ]
    receipt = Receipt(
        key="key", digest="digest", at=MOMENT, changes=[Change(entries[0], changes[0])]
    )
    payloads = [
        *encode_all(2, entries),
        encode_changes(3, changes[:1], [receipt]),
        encode_changes(4, changes[1:], begin=3),
        encode_changes(5, [replace(changes[0].remove(at=MOMENT), revision=5)]),
    ]
    whole = file_header() + b"".join(map(frame, payloads))
    yield whole + frame(encode_changes(6, [replace(todo(3), revision=6)]))[:-9]
    yield file_header() + b"".join(
        frame(encode_changes(number, [replace(todo(number % 3), revision=number)]))
        for number in range(1, 9)
    )


def _originals() -> list[_Original]:
    return list(map(_Original, _journals()))


def _changed(random: Random, original: _Original) -> bytes:
    """Answer a journal after something has happened to it."""
    match random.randrange(10):
        case 0 | 1:
            frames = rearranged(random, original.frames)
            return original.data[:FRAMES_BEGIN] + b"".join(frames) + original.tail
        case 2:
            return _with_another_length(random, original.data, original.frames)
        case 3:
            header = original.data[:8] + pack("<L", random.choice((0, 1, 2, 3, 2**32 - 1)))
            return _checked_by(header) + original.data[FRAMES_BEGIN:]
        case _:
            return Mutator(random, original.frames).mutated(original.data)


def _with_another_length(random: Random, data: bytes, frames: Sequence[bytes]) -> bytes:
    """Answer a journal, one of whose headers confirms another length of the payload."""
    start = data.index(random.choice(frames))
    header = data[start : start + _HEADER_SIZE]
    length = int.from_bytes(header[_MAGIC_SIZE:][:8], "little")
    other = random.choice(
        (0, 1, length - 1, length + 1, length + 36, len(data), 2**63, 2**64 - 1)
    )
    header = _checked_by(header[:_MAGIC_SIZE] + pack("<Q", other) + header[28:32])
    return data[:start] + header + data[start + _HEADER_SIZE :]


def _checked_by(header: bytes) -> bytes:
    return header + crc32(header).to_bytes(_CHECKSUM_SIZE, "little")


def _read(data: bytes) -> Contents:
    """Answer what a start makes of a journal; raises StorageOpeningError."""
    contents = Contents()
    replay(data, _PATH, lambda payload: contents.take(decode(payload)))
    return contents


def _check_files(folder: Path, data: bytes) -> None:
    """Fail unless check, a start and salvage agree on a file, and lose no byte of it."""
    path = _written(folder, data)
    try:
        contents = _started(path)
    except StorageOpeningError as error:
        assert [other.read_bytes() for other in folder.iterdir()] == [data]
        with raises(type(error)):
            read(path)
    else:
        kept = path.read_bytes()
        torn = b"".join(file.read_bytes() for file in folder.glob("*.torn"))
        assert kept + torn == data or format_version(data, path) != VERSION
        assert _held(_started(path)) == _held(contents) == _held(_read(data))
        checked, unreadable = read(_written(folder, data))
        assert (checked.entries(), unreadable) == (contents.index.entries(), len(torn))
    try:
        report, old = salvage(_written(folder, data).parent)
    except UnsupportedStorage:
        return
    assert old.read_bytes() == data
    found, unreadable = read(path)
    assert (len(found), found.revision, unreadable) == (report.entries, report.revision, 0)
    assert {entry.id: entry for entry in found.entries()} == {
        entry.id: entry for entry in salvaged(data, path).entries
    }


def _written(folder: Path, data: bytes) -> Path:
    """Answer the path of a journal that is alone in its folder."""
    folder.mkdir(exist_ok=True)
    for other in folder.iterdir():
        other.unlink()
    (folder / JOURNAL).write_bytes(data)
    return folder / JOURNAL


def _started(path: Path) -> Contents:
    contents = Contents()
    journal = Journal(path, QuickDisk())
    try:
        journal.open(lambda payload: contents.take(decode(payload)))
    finally:
        journal.close()
    return contents


def _held(contents: Contents) -> _Held:
    snapshot = contents.snapshot(contents.index.revision)
    return (
        snapshot.revision,
        snapshot.begin,
        {entry.id: entry for entry in snapshot.entries},
        snapshot.changes,
        {receipt.key: receipt for receipt in snapshot.receipts},
    )


def _outcome(original: _Original, data: bytes, held: _Held) -> str:
    """Answer how much was read; raises AssertionError if not all of it stood there."""
    numbers, end = original.frames_of(data)
    headers = {whole[:_HEADER_SIZE] for whole in original.frames}
    assert not any(header in data[end + 1 :] for header in headers), "more was to be read"
    different = sorted(set(numbers))
    assert held == original.held_by(tuple(different)), numbers
    if len(different) == len(original.frames):
        return "read: all"
    if different == [*range(len(different))]:
        return "read: all up to a frame"
    return "read: whole frames are missing, and nothing else"


def _check_salvaged(data: bytes, original: _Original) -> None:
    """Fail unless the newest states of all frames that a file still has are saved from it."""
    try:
        found = salvaged(data, _PATH)
    except UnsupportedStorage:
        return
    revision, states = original.salvaged_from(original.frames_anywhere_in(data))
    assert {entry.id: entry for entry in found.entries} == states
    assert found.revision == revision
    assert 0 <= found.unreadable <= len(data)


def _changed_payload(random: Random, payload: bytes) -> bytes:
    """Answer a payload whose bytes, or values, are others."""
    if random.random() < 0.7:
        return Mutator(random, _INSTRUCTIONS).mutated(payload)
    content: object = pickle.loads(payload)
    for _ in range(random.randint(1, 3)):
        content = _changed_value(random, content)
    return pickle.dumps(content, random.choice((5, 5, 5, 4, 3, 2, 0)))


def _changed_value(random: Random, value: object) -> object:
    """Answer a value, somewhere in which another one stands."""
    if random.random() < 0.15:
        return random.choice(_VALUES)
    match value:
        case dict() if value:
            key = random.choice(list(value))
            return {**value, key: _changed_value(random, value[key])}
        case list() | tuple() if value:
            items = list(value)
            place = random.randrange(len(items))
            items[place] = _changed_value(random, items[place])
            return type(value)(items)
        case bytes():
            return Mutator(random).mutated(value)
        case str():
            changed = Mutator(random, _TEXTS).mutated(value.encode("utf-8", "surrogatepass"))
            return changed.decode("utf-8", random.choice(("replace", "surrogateescape")))
        case int():
            return value + random.choice((-1, 1, 2**31, -(2**63), 10**30))
    return random.choice(_VALUES)


def _check_kept(contents: Contents) -> None:
    """Fail unless what was read can be answered, written again, and read from there."""
    for entry in contents.index.find(TodoQuery(search="n")).entries:
        encode_line(entry)
    for entry in contents.index.entries():
        encode_line(entry)
    contents.index.tags()
    written = Contents()
    for payload in contents.snapshot(contents.index.revision).payloads():
        written.take(decode(payload))
    (*told, receipts), (*told_before, receipts_before) = _held(written), _held(contents)
    assert told == told_before
    assert receipts.keys() == receipts_before.keys()  # whose changes may be forged


_TEXTS = ("\ud800".encode("utf-8", "surrogatepass"), "\0".encode(), "\u202e".encode(), b"\xff")
_VALUES: Sequence[object] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**2000,
    10.5,
    float("nan"),
    "",
    "none",
    "\ud800",
    "9999-12-31",
    "20261224",
    b"",
    bytes(16),
    (),
    ("a",) * 2_000,
    [],
    [[]],
    {},
    {"revision": 1},
    {1, 2},
    bytearray(16),
    (None,) * 11,
)


def _text(text: bytes) -> bytes:
    return b"\x8c%c%b" % (len(text), text)


_INSTRUCTIONS: Sequence[bytes] = (
    *(bytes([code]) for code in range(256)),
    b"cos\nsystem\n",
    _text(b"os") + _text(b"system") + b"\x93" + _text(b"true") + b"\x85R",
    b"(S'true'\nios\nsystem\n",
    b"\x82\x01",
    b"r" + pack("<L", 2**28),
    b"r" + pack("<L", 2**32 - 1),
    b"p999999999\n",
    b"B" + pack("<L", 2**31),
    b"\x8e" + pack("<Q", 2**33),
    b"\x96" + pack("<Q", 2**33),
    b"\x8d" + pack("<Q", 2**33),
    b"X" + pack("<L", 2**32 - 1),
    b"\x8b" + pack("<L", 2**31 - 1),
    b"\x95" + pack("<Q", 2**63 - 1),
    b"\x8a\xff" + b"\x7f" * 255,
    b"\x85" * 10_000,
    b"(" * 10_000,
    b"]\x94" * 1_000,
    b"]" * 1_000 + b"a" * 1_000,
    b"h\x00",
    b"h\x01" * 1_000,
    b"\x94h\x02\x86" * 30,
    b"N" + b"2\x86" * 40,
    b"\x8f(K\x01\x90",
    _text(b"\xed\xa0\x80"),
    _text(b"entries") + b"]",
    _text(b"changes") + b"]",
    _text(b"receipts") + b"]",
    _text(b"begin") + b"K\x00",
)


def _entries(*items: bytes) -> bytes:
    """Answer the body of a record with these entries."""
    return _text(b"revision") + b"K\x01" + _text(b"entries") + b"](" + b"".join(items) + b"e"


def _receipts(*items: bytes) -> bytes:
    return (
        _entries().replace(b"entries", b"changes")
        + _text(b"receipts")
        + b"](%be" % b"".join(items)
    )


def _entry(**fields: bytes) -> bytes:
    """Answer an entry, some of whose fields are other than they should be."""
    sound = {
        "id": b"C\x10" + bytes(16),
        "content": _text(b"content"),
        "notes": _text(b""),
        "tags": b")",
        "priority": _text(b"none"),
        "times": b"NNNK\x01K\x01",
        "revision": b"K\x01",
    }
    return b"(" + b"".join((sound | fields).values()) + b"t"


_BEGIN = b"\x80\x05}\x94("
_DEEP = b"N" + b"\x85" * 200_000
_WIDE = b"N" + b"".join(b"\x94h%c\x86" % number for number in range(1, 99))
_LONG = b"X" + pack("<L", 100_000) + b"x" * 100_000 + b"\x94"
_CHANGES = b"](" + (b"N" + _entry() + b"\x86\x94") + b"h\x01" * 20_000 + b"e\x94"
_BOMBS: Mapping[str, bytes] = {
    "a deep name": _DEEP + b"N",
    "a wide name": _WIDE + b"N",
    "a deep priority": _entries(_entry(priority=_DEEP)),
    "a wide priority": _entries(_entry(priority=_WIDE)),
    "a deep id": _entries(_entry(id=_DEEP)),
    "a wide id": _entries(_entry(id=b"(" + _WIDE + b"h\x01" * 15 + b"t")),
    "a wide revision": _entries(_entry(revision=_WIDE)),
    "deep tags": _entries(_entry(tags=_DEEP)),
    "a long tag many times": _entries(
        _entry(content=_LONG, tags=b"(" + b"h\x01" * 50_000 + b"t")
    ),
    "many tags many times": _entries(
        _entry(tags=b"(" + _text(b"tag") * 10_000 + b"t\x94"), _entry(tags=b"h\x01") * 20_000
    ),
    "many changes many times": _receipts(
        b"(" + _text(b"key") * 2 + b"K\x01" + _CHANGES + b"t\x94", b"h\x03" * 20_000
    ),
    "a place in the memo": _entries(b"Nr" + pack("<L", 2**30)),
    "a place in the memo, in digits": _entries(b"Np1073741824\n"),
    "bytes": _entries(b"B" + pack("<L", 2**31)),
    "more bytes": _entries(b"\x8e" + pack("<Q", 2**34)),
    "bytes to be changed": _entries(b"\x96" + pack("<Q", 2**34)),
    "a text": _entries(b"X" + pack("<L", 2**32 - 1)),
    "a longer text": _entries(b"\x8d" + pack("<Q", 2**34)),
    "an integer": _entries(b"\x8b" + pack("<L", 2**31 - 1)),
    "a frame": _entries(b"\x95" + pack("<Q", 2**62)),
}
