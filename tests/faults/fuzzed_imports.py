"""Files to be imported or restored, changed at random, and what a storage may hold then."""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from uuid import UUID

from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import PAGE_MOST, TodoQuery
from myapp.infrastructure.database.archive import REVISIONS_APART, Snapshot
from myapp.infrastructure.transfer.backup import restore
from myapp.infrastructure.transfer.entry_lines import FIELDS, encode
from myapp.infrastructure.transfer.errors import BackupDamaged, BadInput, BadLine
from myapp.infrastructure.transfer.formats import FORMATS, Format
from myapp.infrastructure.transfer.importing import Import, Imported
from myapp.infrastructure.transfer.input_file import InputFile
from tests.contract.entries import LATER, NOON, new_entry
from tests.faults.fuzzing import Fuzz
from tests.faults.mutations import Mutator, rearranged
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.transfer.carrying import EPOCH, quietly, stored
from tests.transfer.in_memory_archive import InMemoryArchive

_LONGEST_REASON = 1_000


class _Storage(InMemoryArchive):
    """An archive that shows what a repository holds."""

    def __init__(self, repository: InMemoryTodoEntryRepository) -> None:
        super().__init__()
        self._repository = repository

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        held = await _entries(self._repository)
        revision = await self._repository.revision()
        async with InMemoryArchive(held.values(), revision).snapshot() as snapshot:
            yield snapshot


class _Imports(Fuzz):
    """All good lines are stored, or none is; every bad one is told by its number."""

    def __init__(self, folder: Path, format: Format) -> None:
        super().__init__(folder)
        self._format = format
        self._lines = [format.heading] * bool(format.heading)
        self._lines += map(format.encode, stored(_some_entries()))

    async def try_one(self, random: Random) -> str:
        data = self._changed(random)
        repository = InMemoryTodoEntryRepository()
        (kept,) = await repository.save(new_entry("kept", id=random.choice((_KEPT, _OTHER))))
        told: list[int] = []
        try:
            imported = await self._import(data, repository, told)
        except BadInput:
            assert await _entries(repository) == {kept.entry_id: kept.after}
            assert await repository.revision() == kept.revision
            return await self._without_bad_lines(random, data, repository, told)
        assert not told
        await self._check_all_there(random, data, repository, imported)
        return "imported"

    async def _without_bad_lines(
        self,
        random: Random,
        data: bytes,
        repository: InMemoryTodoEntryRepository,
        bad: Sequence[int],
    ) -> str:
        """Import the good lines only, unless the file as a whole is bad."""
        told: list[int] = []
        try:
            imported = await self._import(data, repository, told, skip_bad=True)
        except BadInput:
            assert await repository.revision() == 1
            return "refused as a whole"
        assert told == sorted(set(told)) == list(bad) != []
        assert told[-1] <= data.count(b"\n") + 1
        assert imported.skipped == len(told)
        await self._check_all_there(random, data, repository, imported)
        return "imported without bad lines" if imported.added else "nothing but bad lines"

    async def _check_all_there(
        self,
        random: Random,
        data: bytes,
        repository: InMemoryTodoEntryRepository,
        imported: Imported,
    ) -> None:
        """Fail unless the storage holds what the file says, and nothing else."""
        held = await _entries(repository)
        assert len(held) == 1 + imported.added
        assert (await repository.revision()) == 1 + imported.added + imported.changed
        records = sum(1 for _ in self._opened(data).records())
        good = imported.added + imported.changed + imported.unchanged
        assert good + imported.skipped == records
        if random.random() > _AGAIN:
            return
        again = await self._import(data, repository, [], skip_bad=True, now=LATER)
        assert (again.added, again.changed, again.unchanged) == (0, 0, good)
        assert again.fingerprint == imported.fingerprint
        assert await _entries(repository) == held
        for entry in held.values():
            _check_valid(entry)

    async def _import(
        self,
        data: bytes,
        repository: InMemoryTodoEntryRepository,
        told: list[int],
        *,
        skip_bad: bool = False,
        now: datetime = NOON,
    ) -> Imported:
        def flawed(number: int, flaw: BadLine) -> None:
            told.append(number)
            _check_reason(str(flaw))

        work = Import(
            self._opened(data), now=now, replace=False, flawed=flawed, progress=quietly
        )
        return await work.run(_Storage(repository), repository, skip_bad=skip_bad)

    def _opened(self, data: bytes) -> InputFile:
        return InputFile(io.BytesIO(data), "a file", self._format)

    def _changed(self, random: Random) -> bytes:
        lines = random.sample(self._lines[1:], random.randint(1, 4))
        lines.insert(0, self._lines[0])
        if random.random() < _HUGE:
            return b"".join(rearranged(random, [*lines, random.choice(_HUGE_LINES)]))
        if random.random() < 0.2:
            return b"".join(rearranged(random, lines))
        return Mutator(random, _PIECES).mutated(b"".join(lines))


class _JsonLines(_Imports):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FORMATS["jsonl"])


class _Csv(_Imports):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FORMATS["csv"])


class _Backups(Fuzz):
    """A backup is restored as a whole, or changes nothing and is refused with a line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._lines = _backup(stored(_some_entries()))

    async def try_one(self, random: Random) -> str:
        data, confirmed = self._changed(random)
        path = self.folder / "backup"
        path.write_bytes(data)
        kept = new_entry("kept", id=_KEPT)
        target = InMemoryArchive([kept], 5)
        try:
            arrived = await restore(path, target, replace=True, now=EPOCH, progress=quietly)
        except BackupDamaged as error:
            assert 1 <= error.line <= data.count(b"\n") + 1
            _check_reason(str(error))
            assert (target.entries, target.revision) == ({_KEPT: kept}, 5)
            return "refused"
        assert confirmed or data == b"".join(self._lines)
        entries = sorted(target.entries.values(), key=lambda entry: entry.id.int)
        lines = data.split(b"\n")
        assert [encode(entry) for entry in entries] == lines[1:-2]
        told = max(json.loads(lines[0])["revision"], 5)
        assert target.revision == arrived.revision == told + REVISIONS_APART
        return "restored, otherwise" if data != b"".join(self._lines) else "restored"

    def _changed(self, random: Random) -> tuple[bytes, bool]:
        """Answer a backup, and whether it was confirmed after it was changed."""
        if random.random() < 0.5:
            if random.random() < 0.2:
                return b"".join(rearranged(random, self._lines)), False
            return Mutator(random, _PIECES).mutated(b"".join(self._lines)), False
        lines = self._lines[:-1]
        place = random.randrange(len(lines))
        if random.random() < 0.5:
            lines[place] = Mutator(random, _PIECES).mutated(lines[place])
        else:
            lines[place] = _with_another_value(random, lines[place])
        return b"".join(_confirmed(lines)), True


KINDS = {"jsonl": _JsonLines, "csv": _Csv, "backups": _Backups}


def _some_entries() -> Iterable[TodoEntry]:
    """Answer entries that use every field, and every kind of value."""
    yield new_entry("kept", id=_KEPT)
    yield new_entry("plain", id=UUID(int=2))
    yield new_entry(
        'say "hi", twice', id=UUID(int=3), tags=("a", "b"), notes="1\n2\n", done=True
    )
    yield new_entry("Größe 牛乳 🥛", id=UUID(int=4), priority=Priority.HIGH, due=Due(NOON))
    yield new_entry("=1+1", id=UUID(int=5), due=Due(NOON.date()), at=LATER)


def _backup(entries: Sequence[TodoEntry]) -> list[bytes]:
    values = {
        "format": "todo backup",
        "version": 1,
        "created": "2026-11-21T12:00:00Z",
        "revision": 9,
        "count": len(entries),
    }
    header = json.dumps(values, separators=(",", ":")).encode() + b"\n"
    return _confirmed([header, *(encode(entry) + b"\n" for entry in entries)])


def _confirmed(lines: Sequence[bytes]) -> list[bytes]:
    """Answer the lines of a backup with the trailer that belongs to them."""
    whole = b"".join(lines)
    entries = whole.split(b"\n")[1:-1]
    values = {
        "count": len(entries),
        "digest": hashlib.sha256(b"".join(entry + b"\n" for entry in entries)).hexdigest(),
        "sha256": hashlib.sha256(whole).hexdigest(),
    }
    return [*lines, json.dumps(values, separators=(",", ":")).encode() + b"\n"]


def _with_another_value(random: Random, line: bytes) -> bytes:
    """Answer a line, written as a backup's lines are, that says something else."""
    values = json.loads(line)
    name = random.choice(list(values))
    values[name] = random.choice((*_VALUES, f"{values[name]}{random.choice(_VALUES)}"))
    escaped = random.random() < 0.2
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=escaped)
    return text.encode("utf-8", "surrogatepass") + b"\n"


async def _entries(repository: InMemoryTodoEntryRepository) -> Mapping[UUID, TodoEntry]:
    page = await repository.find(TodoQuery(limit=PAGE_MOST))
    return {entry.id: entry for entry in page.entries}


def _check_reason(reason: str) -> None:
    """Fail unless it can be shown on one line of a terminal."""
    assert reason.isprintable(), ascii(reason)
    assert len(reason) <= _LONGEST_REASON, reason


def _check_valid(entry: TodoEntry) -> None:
    """Fail unless it is what the rules of the domain would make of it, and can be told."""
    assert replace(entry) == entry
    encode(entry)


_AGAIN = 0.1
"""How many of the files are imported once more, to change nothing."""

_HUGE = 0.001
"""How many of the files have a line that is too long, which takes long to read."""

_HUGE_LINES = (
    b"x" * 1_100_000 + b"\n",
    b'"' + b"y" * 140_000,
    b'{"content":"' + b"[" * 500_000,
)

_KEPT, _OTHER = UUID(int=1), UUID(int=99)
_VALUES: Sequence[object] = (
    None,
    False,
    True,
    0,
    -1,
    2,
    9,
    2**53,
    10**4_000,
    1e300,
    "",
    " ",
    "none",
    "low",
    "2026-11-21",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00Z",
    "00000000-0000-0000-0000-00000000000a",
    "\u2028\u202e\x7f\0",
    "line\nline\ttab",
    "\ud800",
    "x" * 20_000,
    [],
    ["b", "a", "b"],
    ["t"] * 300,
    [["a"]],
    {},
    {"content": "a"},
)
_PIECES: Sequence[bytes] = (
    *(bytes([code]) for code in b'"{}[],:\\\n\r\t \0\x7f\x1b\xff'),
    b"\r\n",
    b'""',
    b'"\n',
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    "\u2028\u202e\u0085".encode(),
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b"9" * 5_000,
    b"1e999",
    b"-0",
    b"1.0",
    b"NaN",
    b"null",
    b"true",
    b"-1",
    b"9" * 30,
    b'"' + b"y" * 2_000,
    b"a " * 2_000,
    b"0001-01-01T00:00:00+23:59",
    b"9999-12-31T23:59:59-23:59",
    b"2026-02-30",
    b"00000000-0000-0000-0000-000000000001",
    *(b'"%b":' % name.encode() for name in FIELDS),
    b'"surprise":1,',
    b",".join(name.encode() for name in FIELDS) + b"\n",
)
