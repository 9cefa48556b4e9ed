"""Stretches of the orders that entries are listed in, read along the indexes of these.

An order has an index of what is open and one of what is done. All entries are read from both,
merged, so that each stands in one: these indexes are nearly half of what creates write to
SQLite.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    bindparam,
    or_,
    select,
    tuple_,
    union_all,
)

from myapp.domain.todo_entry_repository import Sort
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.schema import todo_entry
from myapp.infrastructure.database.sql.shape import Shape
from myapp.infrastructure.database.sql.statements import SelectStatement
from myapp.infrastructure.database.sql.text_search import Condition

_Columns = Sequence[ColumnElement[Any]]

_EARLIEST = to_microseconds(datetime.min.replace(tzinfo=UTC))
_WINDOW = bindparam("window", type_=Integer)


def stretch(shape: Shape, dialect: Dialect, columns: _Columns) -> SelectStatement:
    """Answer columns of the next `window` entries of the order, be they open, done, or either.

    What else is asked of them is left aside.
    """
    parts = [_part(shape, dialect, columns, part).limit(_WINDOW) for part in _parts(shape)]
    if len(parts) == 1:
        return parts[0]
    rows = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(rows).order_by(*in_order(shape, rows)).limit(_WINDOW)


def halves(shape: Shape) -> Sequence[Condition]:
    """Answer the conditions of the indexes that have, together, all that may be asked for."""
    completed_at = todo_entry.c.completed_at
    conditions = {False: completed_at.is_(None), True: completed_at.is_not(None)}
    return [conditions[done] for done in conditions if shape.done in (None, done)]


def after_start(shape: Shape, row: FromClause) -> Sequence[Condition]:
    """Answer what holds of the rows after the one that a page starts after, if it does."""
    key = key_of(shape, row)
    if not shape.started:
        return ()
    if shape.start_has_key:
        after = _after(shape, row)
        return (or_(after, key.is_(None)) if shape.sort is Sort.DUE else after,)
    start = bindparam("id", type_=row.c.id.type)
    return (key.is_(None), row.c.id < start if shape.descending else row.c.id > start)


def in_order(shape: Shape, row: FromClause) -> _Columns:
    """Answer what rows are ordered by."""
    turned = _turned(shape, row)
    return (key_of(shape, row).is_(None), *turned) if shape.sort is Sort.DUE else turned


def key_of(shape: Shape, row: FromClause) -> ColumnElement[Any]:
    """Answer what rows are ordered by before their ids."""
    return row.c[shape.sort_column]


def _part(
    shape: Shape, dialect: Dialect, columns: _Columns, conditions: Sequence[Condition]
) -> SelectStatement:
    """Answer what an index has under these conditions, or both have, in order."""
    selects = [
        select(*columns).where(*conditions, half).order_by(*_turned(shape, todo_entry))
        for half in halves(shape)
    ]
    if len(selects) == 1:
        return selects[0]
    if dialect.limits_halves:
        selects = [half.limit(_WINDOW) for half in selects]
    rows = union_all(*(select(half.subquery()) for half in selects)).subquery()
    return select(rows).order_by(*_turned(shape, rows))


def _parts(shape: Shape) -> Sequence[Sequence[Condition]]:
    """Answer the conditions of the parts that make up the rest of an order.

    There are two where entries without a key, which come last, have yet to come.
    """
    key = key_of(shape, todo_entry)
    if shape.sort is not Sort.DUE or (shape.started and not shape.start_has_key):
        return [after_start(shape, todo_entry)]
    with_key = _after(shape, todo_entry) if shape.started else key >= _EARLIEST
    return [[with_key], [key.is_(None)]]


def _after(shape: Shape, row: FromClause) -> Condition:
    key = key_of(shape, row)
    place = tuple_(key, row.c.id)
    start = tuple_(bindparam("key", type_=key.type), bindparam("id", type_=row.c.id.type))
    return place < start if shape.descending else place > start


def _turned(shape: Shape, row: FromClause) -> _Columns:
    columns = (key_of(shape, row), row.c.id)
    return [column.desc() if shape.descending else column.asc() for column in columns]
