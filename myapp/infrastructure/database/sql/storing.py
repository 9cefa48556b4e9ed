"""What happens to the tables when entries are saved, within one transaction."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, bindparam, literal, null, select, union_all

from myapp.domain.change import Change
from myapp.domain.errors import ReceiptExists, StaleTodoEntry, TodoError
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.sql.connection import Rows, Step, Steps
from myapp.infrastructure.database.sql.entry_rows import EntryRow, EntryRows
from myapp.infrastructure.database.sql.history_rows import HistoryRows
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS, STATE_NAMES, to_entry
from myapp.infrastructure.database.sql.schema import (
    todo_change,
    todo_entry,
    todo_receipt,
    todo_store,
)
from myapp.infrastructure.database.sql.text_search import TextSearch, Upkeep

Outcome = Sequence[Change] | TodoError
"""What a save has changed, or why it was not stored."""

_VALUES_MOST = 10_000  # in one statement; both databases take some 32,000

LOCK = select(todo_store.c.revision, todo_store.c.history_begin).with_for_update()
"""Answers the last revision and where the history begins; nobody else stores until the end."""

_IDS = bindparam("ids", type_=Uuid, expanding=True)
LAST_STATES = union_all(
    select(
        todo_entry.c.number,
        todo_entry.c.search_text,
        *ENTRY_COLUMNS,
        null().label("removed_at"),
    ).where(todo_entry.c.id.in_(_IDS)),
    select(null(), literal(""), *(todo_change.c[name] for name in STATE_NAMES)).where(
        todo_change.c.id.in_(_IDS),
        todo_change.c.removed_at.is_not(None),
        todo_change.c.next.is_(None),
    ),
)
"""Answers number and searched text of the row of each entry, or null, and its STATE_NAMES."""
_KEYS_USED = select(todo_receipt.c.key).where(
    todo_receipt.c.key.in_(bindparam("keys", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Save:
    """What is to be stored together, or not at all."""

    entries: Sequence[TodoEntry]
    receipt: Receipt | None


def store(saves: Sequence[Save], search: TextSearch) -> Steps[Sequence[Outcome]]:
    """Store those saves that are based on what is stored; answer what became of each.

    The store stays locked until the transaction ends: so revisions grow in the order of
    commits, and what was read here is still true when it is written.
    """
    ((revision, begin),) = yield Step(LOCK)
    stored = yield from _read_stored({entry.id for save in saves for entry in save.entries})
    keys = [save.receipt.key for save in saves if save.receipt is not None]
    used: Rows = ()
    if keys:
        used = yield Step(_KEYS_USED, [{"keys": keys}])
    storing = _Storing(revision, begin, stored, (key for (key,) in used))
    outcomes = [storing.take(save) for save in saves]
    yield from write(storing.work(search))
    return outcomes


def write(work: Upkeep) -> Steps[None]:
    """Execute the statements that have something to do."""
    for statement, values in work:
        if values:
            yield Step(statement, values)


@dataclass(frozen=True, slots=True)
class _Stored:
    """The last state of an entry, and its row unless it is removed."""

    state: TodoEntry
    row: EntryRow | None


class _Storing:
    """Gives out revisions, and gathers what is to be written."""

    def __init__(
        self,
        revision: int,
        begin: int,
        stored: Mapping[UUID, _Stored],
        keys: Iterable[str],
    ) -> None:
        self._revision = revision
        self._stored = stored
        self._taken: set[UUID] = set()
        self._keys = set(keys)
        self._entries = EntryRows()
        self._history = HistoryRows(begin)

    def take(self, save: Save) -> Outcome:
        """Answer what the save changes, or why it cannot be stored."""
        if save.receipt is not None and save.receipt.key in self._keys:
            return ReceiptExists(save.receipt.key)
        times = Counter(entry.id for entry in save.entries)
        stale = [
            entry.id
            for entry in save.entries
            if entry.id in self._taken or times[entry.id] > 1 or not self._is_current(entry)
        ]
        if stale:
            return StaleTodoEntry(*stale)
        self._taken.update(times)
        changes = [self._change(entry) for entry in save.entries]
        if save.receipt is not None:
            self._keys.add(save.receipt.key)
            self._history.put_receipt(save.receipt, changes)
        return changes

    def work(self, search: TextSearch) -> Upkeep:
        """Answer what writes all that was taken."""
        return (*self._entries.work(search, self._revision), *self._history.work())

    def _is_current(self, entry: TodoEntry) -> bool:
        stored = self._stored.get(entry.id)
        return entry.follows(stored.state if stored else None)

    def _change(self, entry: TodoEntry) -> Change:
        stored = self._stored.get(entry.id)
        self._revision += 1
        after = entry.stored(self._revision)
        change = Change(stored.state if stored else None, after)
        self._entries.put(stored.row if stored else None, after)
        self._history.put(change)
        return change


def _read_stored(ids: Collection[UUID]) -> Steps[Mapping[UUID, _Stored]]:
    stored = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _VALUES_MOST):
        values = {"ids": wanted[start : start + _VALUES_MOST]}
        for number, search_text, *columns in (yield Step(LAST_STATES, [values])):
            state = to_entry(*columns)
            row = None
            if number is not None:
                row = EntryRow(number, state, search_text)
            stored[state.id] = _Stored(state, row)
    return stored
