"""Whether all that the tables of an SQL storage tell fits together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import bindparam, func, or_, select, true

from myapp.infrastructure.database.sql.connection import Row, Step, Steps
from myapp.infrastructure.database.sql.dialect import Dialect
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
    .select_from(
        todo_change.join(todo_store, true()).outerjoin(
            _before, _before.c.revision == todo_change.c.previous
        )
    )
    .where(
        todo_change.c.revision > todo_store.c.history_begin,
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


def flaws(dialect: Dialect) -> Steps[Sequence[str]]:
    """Read everything and answer what is wrong, a sentence each, the first hundred."""
    found = [*(yield from dialect.flaws())]
    tags, open_tags, counts = Counter[str](), Counter[str](), Counter[str]()
    tokens = Counter[str]()
    last = 0
    while rows := (yield Step(_NEXT, [{"last": last}])):
        for row in rows:
            found += islice(_flaws_of(row), max(0, _FLAWS_MOST - len(found)))
            carried = row["tags"].split()
            is_open = row["completed_at"] is None
            tags.update(carried)
            open_tags.update(carried if is_open else ())
            counts.update(entries=1, open_entries=int(is_open))
            counts["revision"] = max(counts["revision"], row["revision"])
            tokens.update(dialect.search.tokens_of(row["search_text"]))
        last = rows[-1]["number"]
    ((entries, open_entries, revision),) = yield Step(_STORE)
    if (entries, open_entries) != (counts["entries"], counts["open_entries"]):
        found.append("The store counts other entries than there are.")
    if revision < counts["revision"]:
        found.append("An entry has a later revision than the store has given out.")
    if (yield from dialect.search.tokens()) != tokens:
        found.append("The search index knows other texts than there are.")
    if {tag: number for tag, number in (yield Step(_TAGGED))} != tags:
        found.append("The tags of the entries and the table todo_entry_tag differ.")
    uses = {tag: (number, number_open) for tag, number, number_open in (yield Step(_TAGS))}
    if uses != {tag: (tags[tag], open_tags[tag]) for tag in tags}:
        found.append("The tags of the entries and the table todo_tag differ.")
    for flaw, finding in _HISTORY_FLAWS.items():
        if (yield Step(finding.limit(1))):
            found.append(flaw)
    return found


def _flaws_of(row: Row) -> Iterator[str]:
    try:
        entry = to_entry(*row[: len(ENTRY_COLUMNS)])
        expected = to_row(entry, row["number"]) | {"id": row["id"]}
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        yield f"The entry {row['id']} cannot be read: {error}."
        return
    wrong = [name for name, value in expected.items() if value != row[name]]
    if wrong:
        yield f"In the entry {entry.id}, {', '.join(wrong)} is not what the rest tells."
