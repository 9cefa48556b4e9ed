"""What happens to the tables when entries are saved, within one transaction."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from myapp.domain.errors import StaleTodoEntry, TodoError
from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.sql.rows import to_row
from myapp.infrastructure.database.sql.schema import (
    todo_entry,
    todo_entry_tag,
    todo_store,
    todo_tag,
)
from myapp.infrastructure.database.sql.text_search import TextSearch, Upkeep

Outcome = Sequence[TodoEntry] | TodoError
"""The entries of a save under their new revisions, or why it was not stored."""

_Values = Mapping[str, object]

_VALUES_MOST = 10_000  # in one statement; both databases take some 32,000

LOCK = select(todo_store.c.revision).with_for_update()
"""Answers the last revision, and keeps all others from storing until the end."""

_STORED = select(
    todo_entry.c.id,
    todo_entry.c.number,
    todo_entry.c.revision,
    todo_entry.c.tags,
    todo_entry.c.completed_at,
    todo_entry.c.search_text,
).where(todo_entry.c.id.in_(bindparam("ids", expanding=True)))
_ADD = insert(todo_entry)
_CHANGE = (
    update(todo_entry)
    .where(todo_entry.c.number == bindparam("changed"))
    .values({column.name: bindparam(column.name) for column in todo_entry.c})
)
_REMOVE = delete(todo_entry).where(todo_entry.c.number == bindparam("removed"))
_TAG = insert(todo_entry_tag)
_UNTAG = delete(todo_entry_tag).where(
    todo_entry_tag.c.tag == bindparam("without"), todo_entry_tag.c.entry == bindparam("of")
)
_COUNT_TAG = text(
    "INSERT INTO todo_tag (tag, folded, entries, open_entries)"
    " VALUES (:tag, :folded, :entries, :open_entries)"
    " ON CONFLICT (tag) DO UPDATE SET entries = todo_tag.entries + excluded.entries,"
    " open_entries = todo_tag.open_entries + excluded.open_entries"
).bindparams(*(bindparam(column.name, type_=column.type) for column in todo_tag.c))
_FORGET_TAG = delete(todo_tag).where(
    todo_tag.c.tag == bindparam("unused"), todo_tag.c.entries == 0
)
_COUNT = update(todo_store).values(
    revision=bindparam("last"),
    entries=todo_store.c.entries + bindparam("more"),
    open_entries=todo_store.c.open_entries + bindparam("more_open"),
)


async def store(
    connection: AsyncConnection, saves: Sequence[Sequence[TodoEntry]], search: TextSearch
) -> Sequence[Outcome]:
    """Store those saves that are based on what is stored; answer what became of each.

    The store stays locked until the transaction ends: so revisions grow in the order of
    commits, and what was read here is still true when it is written.
    """
    revision = (await connection.execute(LOCK)).scalar_one()
    ids = {entry.id for entries in saves for entry in entries}
    changes = Changes(revision, await _read_stored(connection, ids))
    outcomes = [changes.take(entries) for entries in saves]
    await changes.write(connection, search)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Stored:
    """What has to be known of a row to change it."""

    number: int
    revision: int
    tags: frozenset[str]
    open: bool
    search_text: str


class Changes:
    """What is to be written into the tables, gathered entry by entry."""

    def __init__(self, revision: int, stored: Mapping[UUID, _Stored]) -> None:
        self._revision = revision
        self._stored = stored
        self._taken: set[UUID] = set()
        self._added: list[_Values] = []
        self._changed: list[_Values] = []
        self._removed: list[_Values] = []
        self._tagged: list[_Values] = []
        self._untagged: list[_Values] = []
        self._texts_before: dict[int, str] = {}
        self._texts_after: dict[int, str] = {}
        self._tags: Counter[str] = Counter()
        self._open_tags: Counter[str] = Counter()
        self._entries = 0
        self._open_entries = 0

    def take(self, entries: Sequence[TodoEntry]) -> Outcome:
        """Give all of them new revisions, or answer which are not based on what is stored."""
        times = Counter(entry.id for entry in entries)
        stale = [
            entry.id
            for entry in entries
            if entry.revision != self._stored_revision(entry.id)
            or entry.id in self._taken
            or times[entry.id] > 1
        ]
        if stale:
            return StaleTodoEntry(*stale)
        self._taken.update(times)
        stored = []
        for entry in entries:
            self._revision += 1
            stored.append(replace(entry, revision=self._revision))
            self.put(stored[-1])
        return stored

    def put(self, entry: TodoEntry) -> None:
        """Let the entry take the place of what is stored, under the revision that it has."""
        before = self._stored.get(entry.id)
        if entry.removed_at is not None:
            after = None
            if before is not None:
                self._removed.append({"removed": before.number})
        else:
            number = entry.revision if before is None else before.number
            row = to_row(entry, number)
            search_text = str(row["search_text"])
            after = _Stored(
                number, entry.revision, frozenset(entry.tags), not entry.done, search_text
            )
            if before is None:
                self._added.append(row)
            else:
                self._changed.append({**row, "changed": number})
        self._index(before, after)
        self._tag(before, after)
        self._count(before, -1)
        self._count(after, +1)

    async def write(self, connection: AsyncConnection, search: TextSearch) -> None:
        """Write all that was gathered, and what the store counts."""
        differences: list[_Values] = [
            {
                "tag": tag,
                "folded": fold(tag),
                "entries": self._tags[tag],
                "open_entries": self._open_tags[tag],
            }
            for tag in self._tags
            if self._tags[tag] or self._open_tags[tag]
        ]
        fewer: list[_Values] = [{"unused": tag} for tag, more in self._tags.items() if more < 0]
        counts: _Values = {
            "last": self._revision,
            "more": self._entries,
            "more_open": self._open_entries,
        }
        work: Upkeep = (
            *search.upkeep(self._texts_before, self._texts_after),
            (_REMOVE, self._removed),
            (_CHANGE, self._changed),
            (_ADD, self._added),
            (_UNTAG, self._untagged),
            (_TAG, self._tagged),
            (_COUNT_TAG, differences),
            (_FORGET_TAG, fewer),
            (_COUNT, [counts]),
        )
        for statement, values in work:
            if values:
                await connection.execute(statement, values)

    def _stored_revision(self, entry_id: UUID) -> int:
        stored = self._stored.get(entry_id)
        return stored.revision if stored else 0

    def _index(self, before: _Stored | None, after: _Stored | None) -> None:
        if before and after and before.search_text == after.search_text:
            return
        if before:
            self._texts_before[before.number] = before.search_text
        if after:
            self._texts_after[after.number] = after.search_text

    def _tag(self, before: _Stored | None, after: _Stored | None) -> None:
        old = before.tags if before else frozenset()
        new = after.tags if after else frozenset()
        if before:
            self._untagged += [{"without": tag, "of": before.number} for tag in old - new]
        if after:
            self._tagged += [{"tag": tag, "entry": after.number} for tag in new - old]

    def _count(self, stored: _Stored | None, by: int) -> None:
        if stored is None:
            return
        open_by = by if stored.open else 0
        self._entries += by
        self._open_entries += open_by
        for tag in stored.tags:
            self._tags[tag] += by
            self._open_tags[tag] += open_by


async def _read_stored(
    connection: AsyncConnection, ids: Collection[UUID]
) -> Mapping[UUID, _Stored]:
    stored = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _VALUES_MOST):
        values = {"ids": wanted[start : start + _VALUES_MOST]}
        for row in await connection.execute(_STORED, values):
            stored[UUID(int=row.id.int)] = _Stored(
                row.number,
                row.revision,
                frozenset(row.tags.split()),
                row.completed_at is None,
                row.search_text,
            )
    return stored
