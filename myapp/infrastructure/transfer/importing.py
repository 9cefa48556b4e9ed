"""Entries from a file into a storage: all of them, or none if a line is bad.

The file is read three times: to check every line, to store what is new, and to compare.
"""

import sqlite3
from array import array
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from myapp.domain.errors import StaleTodoEntry
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.archive import Archive, Snapshot
from myapp.infrastructure.transfer.entry_lines import (
    EntryInput,
    encode_unnumbered,
    parse,
)
from myapp.infrastructure.transfer.errors import (
    BadInput,
    BadLine,
    EntriesChanged,
    FileChanged,
    TransferError,
    TransferUnproven,
)
from myapp.infrastructure.transfer.fingerprint import Fingerprint, Fingerprinter
from myapp.infrastructure.transfer.formats import Record
from myapp.infrastructure.transfer.input_file import InputFile
from myapp.infrastructure.transfer.streams import Progress, batches_of


@dataclass(frozen=True, slots=True)
class Imported:
    """How many entries were added, changed and left alone, how many lines were bad.

    The fingerprint is that of the entries on the good lines, in the order of the file, and
    of the same entries in the storage.
    """

    added: int
    changed: int
    unchanged: int
    skipped: int
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a line asks for: an entry, in the place of the one that is stored."""

    number: int
    entry: TodoEntry
    stored: TodoEntry | None


class Import:
    """The import of a file at a moment, which stands in for times left out.

    An entry that is stored with other content is replaced only if that is wanted; `flawed`
    is told each bad line's number and what is wrong with it.
    """

    def __init__(
        self,
        source: InputFile,
        *,
        now: datetime,
        replace: bool,
        flawed: Callable[[int, BadLine], None],
        progress: Progress,
    ) -> None:
        self._source = source
        self._now = now
        self._replace = replace
        self._flawed = flawed
        self._progress = progress

    async def run(
        self, archive: Archive, repository: TodoEntryRepository, *, skip_bad: bool
    ) -> Imported:
        """Import all entries, or with `skip_bad` those on good lines; once more adds nothing.

        Both see the same storage. Raises BadInput before anything was changed; FileChanged,
        EntriesChanged and TransferUnproven may come after some entries have been stored.
        """
        async with archive.snapshot() as before:
            bad = await self._check(before)
            if bad and not skip_bad:
                raise BadInput(_refusal(len(bad)))
            added, changed, unchanged = await self._store(before, repository, bad)
        async with archive.snapshot() as after:
            fingerprint = await self._compare(after, bad)
        return Imported(added, changed, unchanged, len(bad), fingerprint)

    async def _check(self, before: Snapshot) -> Sequence[int]:
        """Answer the numbers of all bad lines, in order."""
        bad = array("Q")
        self._tell("checking", 0)
        with closing(_SeenIds()) as seen:
            async for batch in batches_of(self._source.records()):
                flaws: dict[int, BadLine] = {}
                inputs: dict[int, EntryInput] = {}
                for record in batch:
                    try:
                        inputs[record.number] = self._read(record, seen)
                    except BadLine as flaw:
                        flaws[record.number] = flaw
                for wanted in await self._wanted(inputs, before):
                    if wanted.stored not in (None, wanted.entry) and not self._replace:
                        flaws[wanted.number] = BadLine(_STORED)
                for number in sorted(flaws):
                    bad.append(number)
                    self._flawed(number, flaws[number])
                self._tell("checking", batch[-1].number)
        return bad

    async def _store(
        self, before: Snapshot, repository: TodoEntryRepository, bad: Sequence[int]
    ) -> tuple[int, int, int]:
        """Store what is new, and answer how many were added, changed and left alone."""
        added = changed = unchanged = 0
        async for batch in self._batches("storing", before, bad):
            new = [wanted for wanted in batch if wanted.entry != wanted.stored]
            try:
                await repository.save(*(wanted.entry for wanted in new))
            except StaleTodoEntry as error:
                raise EntriesChanged(f"{_MEANWHILE} ({error})") from error
            replaced = sum(wanted.stored is not None for wanted in new)
            added += len(new) - replaced
            changed += replaced
            unchanged += len(batch) - len(new)
        return added, changed, unchanged

    async def _compare(self, after: Snapshot, bad: Sequence[int]) -> Fingerprint:
        """Answer the fingerprint of what the file says; raises unless that is stored."""
        said, held = Fingerprinter(encode_unnumbered), Fingerprinter(encode_unnumbered)
        async for batch in self._batches("comparing", after, bad):
            for wanted in batch:
                said.add(wanted.entry)
                if wanted.stored is not None:
                    held.add(wanted.stored)
        if said.fingerprint != held.fingerprint:
            told = f"{held.fingerprint}, not {said.fingerprint}"
            raise TransferUnproven(f"{_OTHERWISE} ({told})")
        return said.fingerprint

    async def _batches(
        self, stage: str, snapshot: Snapshot, bad: Sequence[int]
    ) -> AsyncIterator[Sequence[_Wanted]]:
        """Answer what the good lines ask for."""
        self._tell(stage, 0)
        async for batch in batches_of(_without(bad, self._source.records())):
            try:
                inputs = {record.number: parse(record.told()) for record in batch}
            except BadLine as flaw:  # which it was not when it was checked
                raise FileChanged(self._source.name) from flaw
            yield await self._wanted(inputs, snapshot)
            self._tell(stage, batch[-1].number)

    async def _wanted(
        self, inputs: Mapping[int, EntryInput], snapshot: Snapshot
    ) -> Sequence[_Wanted]:
        ids = {number: self._id_of(number, input) for number, input in inputs.items()}
        stored = await snapshot.get(ids.values())
        answer = []
        for number, input in inputs.items():
            former = stored.get(ids[number])
            entry = input.entry(former, id=ids[number], now=self._now)
            answer.append(_Wanted(number, entry, former))
        return answer

    def _read(self, record: Record, seen: "_SeenIds") -> EntryInput:
        """Answer what a line says; raises BadLine."""
        input = parse(record.told())
        first = seen.first(self._id_of(record.number, input), record.number)
        if first != record.number:
            raise BadLine(f"id: is that of line {first:,}")
        return input

    def _id_of(self, number: int, input: EntryInput) -> UUID:
        return input.id or self._source.id_of(number)

    def _tell(self, stage: str, line: int) -> None:
        self._progress(stage, line, self._source.lines)


class _SeenIds:
    """Which line had an id first; beyond some megabytes they lie in a temporary file."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA cache_size = -16384")  # KiB
        self._connection.execute(
            "CREATE TABLE seen (id BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID"
        )
        self._connection.execute("BEGIN")

    def first(self, id: UUID, line: int) -> int:
        """Answer the line that had the id first: this one, unless an earlier one had.

        Raises TransferError where the temporary file has no space.
        """
        execute = self._connection.execute
        try:
            if execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id.bytes, line)).rowcount:
                return line
            (first,) = execute("SELECT line FROM seen WHERE id = ?", (id.bytes,)).fetchone()
        except sqlite3.Error as error:
            raise TransferError(f"{_NO_ROOM} ({error}): {_ELSEWHERE}") from error
        return int(first)

    def close(self) -> None:
        """Forget them all."""
        self._connection.close()


def _without(bad: Iterable[int], records: Iterator[Record]) -> Iterator[Record]:
    """Answer the records on other lines; both come in the order of the lines."""
    numbers = iter(bad)
    next_bad = next(numbers, None)
    for record in records:
        if record.number == next_bad:
            next_bad = next(numbers, None)
        else:
            yield record


def _refusal(count: int) -> str:
    lines = "line is" if count == 1 else "lines are"
    return f"{count:,} {lines} bad: nothing was imported (--skip-bad imports the others)."


_NO_ROOM = "A temporary file of the ids that were read cannot be written"
_ELSEWHERE = "make space, or name a folder that has some in TMPDIR. Nothing was imported."
_STORED = "id: is that of a stored entry with other content (--replace replaces it)"
_OTHERWISE = "The storage holds other entries by now than the file: run it again."
_MEANWHILE = "Somebody else has changed entries meanwhile: run it again."
