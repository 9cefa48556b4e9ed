"""The questions to the history as SQL: each is one statement, which tells of one moment.

A row that tells of a change has the columns STATE_NAMES twice: those of the state after it, and
of the one before, all null where there is none.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    FromClause,
    Integer,
    Select,
    Uuid,
    bindparam,
    exists,
    func,
    null,
    or_,
    select,
    true,
    union_all,
)

from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS, STATE_NAMES
from myapp.infrastructure.database.sql.schema import (
    todo_change,
    todo_entry,
    todo_store,
)
from myapp.infrastructure.database.sql.statements import SelectStatement

_ID = bindparam("id", type_=Uuid)
_AT = bindparam("at", type_=BigInteger)
_SINCE = bindparam("since", type_=BigInteger)
_LIMIT = bindparam("limit", type_=Integer)
_BEFORE = todo_change.alias("before")


def _beside_store(rows: FromClause) -> SelectStatement:
    """Answer rows beside `last` and `begin` of the store; without rows, just these."""
    return (
        select(
            *(rows.c[name] for name in STATE_NAMES),
            todo_store.c.revision.label("last"),
            todo_store.c.history_begin.label("begin"),
        )
        .select_from(todo_store)
        .outerjoin(rows, true())
    )


def _changes(states: Select[Any]) -> SelectStatement:
    """Answer the changes that led to states, in their order, beside the store."""
    after = states.subquery("after")
    return (
        select(
            *(after.c[name] for name in STATE_NAMES),
            *(_BEFORE.c[name] for name in STATE_NAMES),
            todo_store.c.revision.label("last"),
            todo_store.c.history_begin.label("begin"),
        )
        .select_from(todo_store)
        .outerjoin(after, true())
        .outerjoin(_BEFORE, _BEFORE.c.revision == after.c.previous)
        .order_by(after.c.revision)
    )


REVISION = select(todo_store.c.revision)

_begin = select(todo_store.c.history_begin).scalar_subquery()
_later = todo_change.c.revision > func.coalesce(_SINCE, _begin)
CHANGES = _changes(
    select(todo_change).where(_later).order_by(todo_change.c.revision).limit(_LIMIT)
)
"""Answers the first changes after a revision."""

# Were the id a constant, PostgreSQL might look for it along the revisions of all entries.
_of_one = todo_change.c.id.between(_ID, _ID)
_latest_first = (todo_change.c.id.desc(), todo_change.c.revision.desc())
_last = select(todo_change.c.revision).where(_of_one).order_by(*_latest_first).limit(1)
CHANGES_OF = _changes(
    select(todo_change)
    .where(_of_one, _later)
    .order_by(todo_change.c.id, todo_change.c.revision)
    .limit(_LIMIT)
).add_columns(
    or_(
        exists().where(todo_entry.c.id == _ID),
        _last.scalar_subquery() > todo_store.c.history_begin,
    ).label("known")
)
"""Answers those of one entry, and whether there is such an entry, or any change of it."""

CHANGE = _changes(select(todo_change).where(todo_change.c.revision == _AT))
"""Answers the change under a revision."""

_state_then = (
    select(*(todo_change.c[name] for name in STATE_NAMES))
    .where(_of_one, todo_change.c.revision <= _AT)
    .order_by(*_latest_first)
    .limit(1)
    .subquery("then")
)
_state_still = select(*ENTRY_COLUMNS, null().label("removed_at")).where(
    todo_entry.c.id == _ID, todo_entry.c.revision <= _AT
)
ENTRY_AT = _beside_store(union_all(_state_still, select(_state_then)).subquery("state"))
"""Answers the state of an entry at a revision, perhaps twice."""
