"""What a pickle storage holds in memory, and how a journal tells it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.change_log import ChangeLog
from myapp.infrastructure.database.records import Record, encode, encode_changes
from myapp.infrastructure.database.todo_index import TodoIndex

_CHUNK = 1_000

T = TypeVar("T")


class Contents:
    """The entries that are there, and what has happened to them."""

    def __init__(self) -> None:
        self.index = TodoIndex()
        self.log = ChangeLog()

    def state(self, entry_id: UUID) -> TodoEntry | None:
        """Answer the last state of an entry, which may be that it is removed."""
        return self.index.get(entry_id) or self.log.removed(entry_id)

    def take(self, record: Record) -> None:
        """Take in what was read, record by record; raises ValueError if it comes too late."""
        if record.begin is not None:
            self.log.forget_until(record.begin)
        self._check_order(record)
        if record.entries:  # a journal of single changes has thousands of records without
            self.index.load(record.entries)
            self.log.load(record.entries)
        for entry in record.changes:
            change = Change(self.state(entry.id), entry)
            self.index.put(entry)
            self.log.put(change)
        self._finish(record.receipts, record.revision)

    def put(
        self, changes: Iterable[Change], receipts: Iterable[Receipt], revision: int
    ) -> None:
        """Take in what was stored, up to this revision of the store."""
        for change in changes:
            self.index.put(change.after)
            self.log.put(change)
        self._finish(receipts, revision)

    def snapshot(self, revision: int) -> "Snapshot":
        """Answer all that there is now, whose store has given out a revision."""
        return Snapshot(
            revision,
            self.log.begin,
            self.index.entries(),
            self.log.changes(),
            self.log.receipts(),
        )

    def _check_order(self, record: Record) -> None:
        if record.entries and record.revision < self.index.revision:
            raise ValueError("its entries are older than what stands before it")
        last = self.log.last
        for entry in record.changes:
            if entry.revision <= last:
                raise ValueError("its changes are older than what stands before them")
            last = entry.revision

    def _finish(self, receipts: Iterable[Receipt], revision: int) -> None:
        for receipt in receipts:
            self.log.put_receipt(receipt)
        self.index.revision = max(self.index.revision, revision)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a storage held at one moment, whatever is stored meanwhile."""

    revision: int
    begin: int
    entries: Sequence[TodoEntry]
    changes: Sequence[Change]
    receipts: Sequence[Receipt]

    def payloads(self) -> Iterator[bytes]:
        """Answer payloads of records that together tell of all this, and of no more."""
        yield from encode_all(self.begin, self._first_states())
        after = [change.after for change in self.changes]
        for chunk in _chunks(after):
            yield encode_changes(chunk[-1].revision, chunk)
        for receipts in _chunks(self.receipts):
            yield encode_changes(self.revision, [], receipts)
        yield encode_changes(self.revision, [])

    def _first_states(self) -> Sequence[TodoEntry]:
        """Answer the entries as they were when the history began."""
        states: dict[UUID, TodoEntry | None] = {}
        for change in self.changes:
            states.setdefault(change.entry_id, change.before)
        for entry in self.entries:
            states.setdefault(entry.id, entry)
        return [state for state in states.values() if state is not None]


def encode_all(revision: int, entries: Sequence[TodoEntry]) -> Iterator[bytes]:
    """Answer payloads that hold these entries, whose history begins at a revision."""
    yield encode(revision, [])
    for chunk in _chunks(entries):
        yield encode(revision, chunk)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Answer them in parts, none of which keeps all other threads waiting for long."""
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
