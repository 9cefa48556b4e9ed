"""A journal that somebody made up runs no code, and what clients send never looks like one."""

import asyncio
import copyreg
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import cast
from uuid import UUID

import pytest
from typer.testing import CliRunner

from myapp.command_line import main
from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.errors import StorageDamaged
from myapp.infrastructure.database.frames import frame
from myapp.infrastructure.database.pickle_salvage import salvage
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.records import encode, encode_changes
from tests.faults.short_ways import (
    MOMENT,
    QuickDisk,
    entries_in,
    frames_in,
    headers_in,
    opened,
    todo,
)
from tests.saving import save_all

_EXTENSION = 0xE1


def _string(text: str) -> bytes:
    """The opcode that pushes a text, SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _called(module: str, name: str, argument: str) -> bytes:
    """A pickle of protocol 4 that calls a function: STACK_GLOBAL, then REDUCE."""
    return (
        b"\x80\x04" + _string(module) + _string(name) + b"\x93" + _string(argument) + b"\x85R."
    )


def _within_a_record(call: bytes) -> bytes:
    """A record whose list of entries is what a call in protocol 4 answers."""
    value = call.removeprefix(b"\x80\x04").removesuffix(b".")
    revision = _string("revision") + b"K\x09"
    return b"\x80\x04}(" + revision + _string("entries") + value + b"u."


class _Reduced:
    """What pickle.dumps makes of an object that says how it is to be made again."""

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return exec, (self._statement,)


def _touch(marker: Path) -> str:
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


_RUNNING: dict[str, Callable[[Path], bytes]] = {
    "GLOBAL and REDUCE": lambda marker: f"cos\nsystem\n(S'touch {marker}'\ntR.".encode(),
    "STACK_GLOBAL": lambda marker: _called("os", "system", f"touch {marker}"),
    "builtins.eval": lambda marker: _called("builtins", "eval", _touch(marker)),
    "builtins.exec": lambda marker: pickle.dumps(_Reduced(_touch(marker)), 5),
    "a dotted name": lambda marker: _called(
        "myapp.infrastructure.database.disk", "os.system", f"touch {marker}"
    ),
    "a dotted name below a builtin": lambda marker: _called(
        "builtins", "__import__.__self__.eval", _touch(marker)
    ),
    "within a record": lambda marker: _within_a_record(
        _called("builtins", "eval", _touch(marker))
    ),
    "INST": lambda marker: f"(S'touch {marker}'\nios\nsystem\n.".encode(),
    "OBJ": lambda marker: f"(cos\nsystem\nS'touch {marker}'\no.".encode(),
    "EXT1": lambda marker: b"\x82%c" % _EXTENSION + _string(_touch(marker)) + b"\x85R.",
    "EXT2": lambda marker: b"\x83"
    + pack("<H", _EXTENSION)
    + _string(_touch(marker))
    + b"\x85R.",
    "EXT4": lambda marker: b"\x84"
    + pack("<L", _EXTENSION)
    + _string(_touch(marker))
    + b"\x85R.",
}

_REFUSED: dict[str, bytes] = {
    "PERSID": b"Pwhatever\n.",
    "BINPERSID": _string("whatever") + b"Q.",
    "NEWOBJ": b"\x80\x04ccollections\nOrderedDict\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
    "BUILD": b"\x80\x04}(" + _string("revision") + b"K\x01" + _string("entries") + b"]u}b.",
    "an object of the domain": pickle.dumps(todo(1)),
    "an id": pickle.dumps({"revision": 1, "entries": [UUID(int=1)]}),
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "a protocol that is not known": b"\x80\x7f}.",
    "nothing": b"",
    "no end": b"\x80\x05}",
    "an empty stack": b"\x80\x05.",
    "no pickle": b"not a pickle",
    "a text that is longer than the file": b"\x80\x05\x8d" + pack("<Q", 2**62) + b"x.",
}


@pytest.fixture(autouse=True)
def _registered_extension() -> Iterator[None]:
    """Let pickle know a dangerous extension, as a careless package might."""
    copyreg.add_extension("builtins", "eval", _EXTENSION)
    yield
    copyreg.remove_extension("builtins", "eval", _EXTENSION)


async def _plant(folder: Path, payload: bytes) -> tuple[int, bytes]:
    """Put a frame before the last one, its checksums right; answer where, and the journal."""
    async with opened(folder, QuickDisk()) as repository:
        await repository.save(todo(1))
        await repository.save(todo(2))
    journal = (folder / JOURNAL).read_bytes()
    offset = frames_in(folder)[-1].start
    journal = journal[:offset] + frame(payload) + journal[offset:]
    (folder / JOURNAL).write_bytes(journal)
    return offset, journal


async def _refused(folder: Path, payload: bytes) -> None:
    """Assert that a start stops at the payload, and that salvage goes past it."""
    offset, journal = await _plant(folder, payload)
    with pytest.raises(StorageDamaged) as caught:
        await entries_in(folder, QuickDisk())
    assert (caught.value.path, caught.value.offset) == (folder / JOURNAL, offset)
    assert (folder / JOURNAL).read_bytes() == journal
    result = await asyncio.to_thread(
        CliRunner().invoke, main, ["storage", "check", str(folder)]
    )
    assert result.exit_code == 3
    assert f"offset {offset}:" in result.output
    salvage(folder)
    found = await entries_in(folder, QuickDisk())
    assert sorted(entry.content for entry in found.values()) == ["entry 1", "entry 2"]


@pytest.mark.parametrize("kind", _RUNNING)
async def test_a_planted_pickle_runs_nothing(tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "marker"
    await _refused(tmp_path / "folder", _RUNNING[kind](marker))
    assert not marker.exists()


@pytest.mark.parametrize("kind", _RUNNING)
def test_the_same_pickle_would_run_in_a_careless_reader(tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "marker"
    pickle.loads(_RUNNING[kind](marker))
    assert marker.exists()


@pytest.mark.parametrize("payload", _REFUSED.values(), ids=_REFUSED)
async def test_a_pickle_that_is_no_record_is_refused(tmp_path: Path, payload: bytes) -> None:
    await _refused(tmp_path, payload)


_FIELDS = (
    "id",
    "content",
    "notes",
    "tags",
    "priority",
    "due",
    "completed_at",
    "removed_at",
    "created_at",
    "updated_at",
    "revision",
)


def _record(**fields: object) -> dict[str, object]:
    """Answer what a sound payload holds, with some fields of its one entry replaced."""
    record: dict[str, object] = pickle.loads(encode(3, [replace(todo(3), revision=3)]))
    (entry,) = cast(list[tuple[object, ...]], record["entries"])  # encode has made it so
    sound = dict(zip(_FIELDS, entry, strict=True))
    return record | {"entries": [tuple((sound | fields).values())]}


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in _record().items() if key != name}


def _sized(change: int) -> dict[str, object]:
    (entry,) = cast(list[tuple[object, ...]], _record()["entries"])  # encode has made it so
    return _record() | {"entries": [(entry + (None,))[: len(entry) + change]]}


_ADDED = Change(None, replace(todo(3), revision=3))
_RECEIPT = Receipt(key="key", digest="digest", at=MOMENT, changes=[_ADDED])


def _record_of_changes(**fields: object) -> dict[str, object]:
    """Answer what a sound payload of a change holds, with its receipt's fields replaced."""
    record: dict[str, object] = pickle.loads(encode_changes(3, [_ADDED.after], [_RECEIPT]))
    (receipt,) = cast(list[tuple[object, ...]], record["receipts"])  # encode has made it so
    sound = dict(zip(("key", "digest", "at", "changes"), receipt, strict=True))
    return record | {"receipts": [tuple((sound | fields).values())]}


_SHAPES: dict[str, object] = {
    "none": None,
    "a number": 1,
    "a text": "revision",
    "a list": [],
    "an empty dict": {},
    "a set": {"revision", "entries"},
    "no revision": _without("revision"),
    "no entries": _without("entries"),
    "a revision of none": _record() | {"revision": None},
    "a revision in words": _record() | {"revision": "three"},
    "a revision in digits": _record() | {"revision": "3"},
    "a revision between two": _record() | {"revision": 3.5},
    "a true revision": _record() | {"revision": True, "entries": []},
    "a negative revision": _record() | {"revision": -1, "entries": []},
    "a revision below that of an entry": _record() | {"revision": 2},
    "entries of none": _record() | {"entries": None},
    "entries of numbers": _record() | {"entries": [1]},
    "entries of dicts": _record() | {"entries": [dict.fromkeys(_FIELDS)]},
    "an entry too short": _sized(-1),
    "an entry too long": _sized(+1),
    "an entry of nothing": _record() | {"entries": [()]},
    "a revision below that of a change": _record_of_changes() | {"revision": 2},
    "changes of none": _record_of_changes() | {"changes": None},
    "changes of numbers": _record_of_changes() | {"changes": [1]},
    "a change of nothing": _record_of_changes() | {"changes": [()]},
    "receipts of none": _record_of_changes() | {"receipts": None},
    "receipts of numbers": _record_of_changes() | {"receipts": [1]},
    "a receipt of nothing": _record_of_changes() | {"receipts": [()]},
    "a receipt too long": _record_of_changes(more=None),
    "a beginning in words": _record_of_changes() | {"begin": "three"},
    "a true beginning": _record_of_changes() | {"begin": True},
    "a negative beginning": _record_of_changes() | {"begin": -1},
    "a beginning that is still to come": _record_of_changes() | {"begin": 4},
}
_TIMES: tuple[object, ...] = (2.5, True, "now", b"", [], 10**30, -(10**30))
_WRONG_TYPES: dict[str, Sequence[object]] = {
    "id": (None, 5, b"", b"short", bytes(17), "no id", [1, 2], True),
    "content": (None, 5, b"bytes", ["content"], True),
    "notes": (None, 0, 5, b"", b"bytes", [], False),
    "tags": (None, 0, "", "tag", ["tag"], {"tag": 1}, (5,), (None,), (b"tag",), (("tag",),)),
    "priority": (None, 0, 3, "", "urgent", "NONE", b"none", [], True),
    "due": (*_TIMES, "", "2026-13-01", ("2026-12-24",)),
    "completed_at": _TIMES,
    "removed_at": _TIMES,
    "created_at": (None, *_TIMES),
    "updated_at": (None, *_TIMES),
    "revision": (None, 2.5, True, "3", b"3", [], 0, -1),
}
_WRONG_FIELDS = [(name, value) for name, values in _WRONG_TYPES.items() for value in values]


@pytest.mark.parametrize("content", _SHAPES.values(), ids=_SHAPES)
async def test_a_record_of_another_shape_is_refused(tmp_path: Path, content: object) -> None:
    await _refused(tmp_path, pickle.dumps(content, 5))


@pytest.mark.parametrize(
    ("name", "value"), _WRONG_FIELDS, ids=[f"{name}={value!r}" for name, value in _WRONG_FIELDS]
)
async def test_an_entry_with_a_field_of_another_type_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    await _refused(tmp_path, pickle.dumps(_record(**{name: value}), 5))


_WRONG_RECEIPTS: dict[str, Sequence[object]] = {
    "key": (None, 5, b"key", ["key"], True),
    "digest": (None, 5, b"digest", ["digest"], True),
    "at": (None, *_TIMES),
    "changes": (None, 5, True, [5], [()], [(None,)], [(None, None)], [(None, ())], [((), ())]),
}
_WRONG_PARTS = [(name, value) for name, values in _WRONG_RECEIPTS.items() for value in values]


@pytest.mark.parametrize(
    ("name", "value"), _WRONG_PARTS, ids=[f"{name}={value!r}" for name, value in _WRONG_PARTS]
)
async def test_a_receipt_with_a_field_of_another_type_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    await _refused(tmp_path, pickle.dumps(_record_of_changes(**{name: value}), 5))


@pytest.mark.parametrize("sound", [_record(), _record_of_changes()], ids=["entries", "changes"])
async def test_a_record_that_is_sound_is_taken(
    tmp_path: Path, sound: dict[str, object]
) -> None:
    async with opened(tmp_path, QuickDisk()) as repository:
        await save_all(repository, todo(1), todo(2))
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(frame(pickle.dumps(sound, 5)))
    assert len(await entries_in(tmp_path)) == 3


_ID_SIZE = 16
_LENGTH_AND_CHECKSUMS = 16


def _lookalikes(header: bytes) -> dict[str, Sequence[TodoEntry]]:
    """Answer entries that a client may send who wants them to be taken for a frame."""
    text = "".join(chr(byte) for byte in header[:20] if chr(byte).isprintable())
    ids = [
        int.from_bytes(header[begin : begin + _ID_SIZE])
        for begin in range(0, len(header) - _ID_SIZE + 1, 5)
    ]
    tags = (text, f"{text}-2")
    return {
        "a content": [todo(2, text * 4)],
        "notes": [todo(2, notes=f"{text}\n" * 8)],
        "tags": [todo(2, tags=tags)],
        "an id": [todo(ids[0])],
        "an id and all the rest": [todo(ids[0], text, notes=text, tags=tags)],
        "many ids": [todo(number, text) for number in ids],
    }


_KINDS = ("a content", "notes", "tags", "an id", "an id and all the rest", "many ids")


async def _header(folder: Path) -> bytes:
    """Answer the header of some frame."""
    async with opened(folder, QuickDisk()) as repository:
        await repository.save(todo(1))
    return headers_in(folder)[0]


@pytest.mark.parametrize("kind", _KINDS)
async def test_what_clients_send_is_never_taken_for_a_frame(tmp_path: Path, kind: str) -> None:
    entries = _lookalikes(await _header(tmp_path / "any"))[kind]
    async with opened(tmp_path / "whole", QuickDisk()) as repository:
        kept = await save_all(repository, todo(1))
        stored = await save_all(repository, *entries)
    assert await entries_in(tmp_path / "whole") == {e.id: e for e in [*kept, *stored]}
    journal = (tmp_path / "whole" / JOURNAL).read_bytes()
    last = frames_in(tmp_path / "whole")[-1]
    for cut in range(last.start + 1, last.end):
        folder = tmp_path / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / JOURNAL).write_bytes(journal[:cut])
        assert await entries_in(folder, QuickDisk()) == {e.id: e for e in kept}, cut
        assert (folder / "todo.torn").read_bytes() == journal[last.start : cut]


@pytest.mark.parametrize("kind", _KINDS)
async def test_what_clients_send_is_salvaged_as_what_it_is(tmp_path: Path, kind: str) -> None:
    header = await _header(tmp_path)
    kept = [*(await entries_in(tmp_path)).values()]
    lost_from = (tmp_path / JOURNAL).stat().st_size
    async with opened(tmp_path, QuickDisk()) as repository:
        await repository.save(*_lookalikes(header)[kind])
        kept += await save_all(repository, todo(3))
    journal = bytearray((tmp_path / JOURNAL).read_bytes())
    journal[lost_from + 4] ^= 0x01
    (tmp_path / JOURNAL).write_bytes(journal)
    salvage(tmp_path)
    assert await entries_in(tmp_path) == {entry.id: entry for entry in kept}


@pytest.mark.parametrize("kind", _KINDS)
async def test_no_frame_begins_within_what_clients_send(tmp_path: Path, kind: str) -> None:
    header = await _header(tmp_path)
    async with opened(tmp_path, QuickDisk()) as repository:
        await repository.save(*_lookalikes(header)[kind])
    headers = headers_in(tmp_path)
    magic = headers[0][:-_LENGTH_AND_CHECKSUMS]
    assert (tmp_path / JOURNAL).read_bytes().count(magic) == len(headers)
