"""Whether all that the tables of an SQL storage tell fits together."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Row, bindparam, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from myapp.infrastructure.database.sql.dialects import Dialect
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS, to_entry, to_row
from myapp.infrastructure.database.sql.schema import (
    todo_change,
    todo_entry,
    todo_entry_tag,
    todo_store,
    todo_tag,
)

_FLAWS_MOST = 100  # the rest is hardly different
_ENTRIES_AT_ONCE = 500

_OTHER_COLUMNS = [column for column in todo_entry.c if column not in ENTRY_COLUMNS]
_NEXT = (
    select(*ENTRY_COLUMNS, *_OTHER_COLUMNS)
    .where(todo_entry.c.number > bindparam("last"))
    .order_by(todo_entry.c.number)
    .limit(_ENTRIES_AT_ONCE)
)
_TAGGED = select(todo_entry_tag.c.tag, func.count().label("entries")).group_by(
    todo_entry_tag.c.tag
)
_TAGS = select(todo_tag.c.tag, todo_tag.c.entries, todo_tag.c.open_entries)
_STORE = select(todo_store.c.entries, todo_store.c.open_entries, todo_store.c.revision)

_before = todo_change.alias("before")
_HISTORY_FLAWS = {
    "Some changes do not have the state before them.": select(todo_change.c.revision)
    .select_from(todo_change.outerjoin(_before, _before.c.revision == todo_change.c.previous))
    .where(
        todo_change.c.previous.is_not(None),
        _before.c.next.is_distinct_from(todo_change.c.revision),
    ),
    "Some entries are not what their last change has made of them.": select(todo_entry.c.id)
    .select_from(
        todo_entry.join(todo_store, true()).outerjoin(
            todo_change, todo_change.c.revision == todo_entry.c.revision
        )
    )
    .where(
        todo_entry.c.revision > todo_store.c.history_begin,
        or_(
            todo_change.c.next.is_not(None),
            *(column.is_distinct_from(todo_change.c[column.name]) for column in ENTRY_COLUMNS),
        ),
    ),
    "Some entries are known only from changes that did not remove them.": select(
        todo_change.c.id
    )
    .select_from(todo_change.outerjoin(todo_entry, todo_entry.c.id == todo_change.c.id))
    .where(
        todo_change.c.next.is_(None),
        todo_change.c.removed_at.is_(None),
        todo_entry.c.id.is_(None),
    ),
    "Some changes have a later revision than the store has given out.": select(
        todo_change.c.revision
    )
    .select_from(todo_change.join(todo_store, true()))
    .where(todo_change.c.revision > todo_store.c.revision),
}


async def flaws(connection: AsyncConnection, dialect: Dialect) -> Sequence[str]:
    """Read everything and answer what is wrong, a sentence each, the first hundred."""
    found = list(await connection.run_sync(dialect.flaws))
    tags, open_tags, counts = Counter[str](), Counter[str](), Counter[str]()
    async for row in _rows(connection):
        found += islice(_flaws_of(row), _FLAWS_MOST - len(found))
        is_open = row.completed_at is None
        carried = row.tags.split()
        tags.update(carried)
        open_tags.update(carried if is_open else ())
        counts.update(entries=1, open_entries=int(is_open))
        counts["revision"] = max(counts["revision"], row.revision)
    store = (await connection.execute(_STORE)).one()
    if (store.entries, store.open_entries) != (counts["entries"], counts["open_entries"]):
        found.append("The store counts other entries than there are.")
    if store.revision < counts["revision"]:
        found.append("An entry has a later revision than the store has given out.")
    if {row.tag: row.entries for row in await connection.execute(_TAGGED)} != tags:
        found.append("The tags of the entries and the table todo_entry_tag differ.")
    uses = {row.tag: (row.entries, row.open_entries) for row in await connection.execute(_TAGS)}
    if uses != {tag: (tags[tag], open_tags[tag]) for tag in tags}:
        found.append("The tags of the entries and the table todo_tag differ.")
    for flaw, finding in _HISTORY_FLAWS.items():
        if (await connection.execute(finding.limit(1))).first() is not None:
            found.append(flaw)
    return found


async def _rows(connection: AsyncConnection) -> AsyncIterator[Row[*tuple[Any, ...]]]:
    last = 0
    while rows := (await connection.execute(_NEXT, {"last": last})).all():
        for row in rows:
            yield row
        last = rows[-1].number


def _flaws_of(row: Row[*tuple[Any, ...]]) -> Iterator[str]:
    try:
        entry = to_entry(*row[: len(ENTRY_COLUMNS)])
        expected = to_row(entry, row.number)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        yield f"The entry {row.id} cannot be read: {error}."
        return
    wrong = [name for name, value in expected.items() if value != getattr(row, name)]
    if wrong:
        yield f"In the entry {row.id}, {', '.join(wrong)} is not what the rest tells."
