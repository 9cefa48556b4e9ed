"""TodoQuery as SQL: which statement answers a page, and with which values.

A page is cut from *candidates*: either a stretch of the order itself, read along its index
from where the page begins, or all that the indexes of the conditions find. A statement
depends on the shape of a query alone, so that there are few, and each is made once.

How texts are searched is all that the databases differ in here: a `TextSearch`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SmallInteger,
    UnaryExpression,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from myapp.domain.text import fold
from myapp.domain.todo_entry_repository import Sort, SortKey, TodoQuery
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS
from myapp.infrastructure.database.sql.schema import (
    todo_entry,
    todo_entry_tag,
    todo_store,
    todo_tag,
)

SHORTEST_INDEXED_SEARCH = 3
"""Code points; the search indexes know texts by their trigrams."""

_SORT_COLUMNS: Mapping[Sort, Column[Any]] = {
    Sort.CREATED: todo_entry.c.created_at,
    Sort.UPDATED: todo_entry.c.updated_at,
    Sort.DUE: todo_entry.c.due,
    Sort.PRIORITY: todo_entry.c.priority,
    Sort.CONTENT: todo_entry.c.content_key,
}
_EARLIEST = to_microseconds(datetime.min.replace(tzinfo=UTC))
_LIMIT = bindparam("limit", type_=Integer)
_WINDOW = bindparam("window", type_=Integer)

_PRIORITIES = bindparam("priorities", type_=SmallInteger, expanding=True)

Condition = ColumnElement[bool]
Statement = Select[*tuple[Any, ...]]  # each says what its rows are


class TextSearch(ABC):
    """How a database finds the value `wanted`, a folded text, in the column search_text."""

    @abstractmethod
    def contains(self) -> Condition:
        """Answer whether the row at hand has it."""

    @abstractmethod
    def numbers(self) -> Select[tuple[int]]:
        """Answer the numbers of the rows that an index finds for the value `pattern`."""

    @abstractmethod
    def pattern(self, wanted: str) -> str:
        """Answer the value of `pattern` for what is wanted."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes the statement for a query, apart from the values in it."""

    sort: Sort
    descending: bool
    started: bool
    start_has_key: bool
    done: bool | None
    prioritised: bool
    tags: int
    bounds: frozenset[str]
    searched: bool
    search_indexed: bool

    @classmethod
    def of(cls, query: TodoQuery) -> Self:
        """Answer the shape of a query."""
        return cls(
            sort=query.sort,
            descending=query.descending,
            started=query.start is not None,
            start_has_key=query.start is not None and query.start.key is not None,
            done=query.done,
            prioritised=bool(query.priorities),
            tags=len(query.tags),
            bounds=frozenset(name for name in _BOUNDS if getattr(query, name) is not None),
            searched=bool(query.search),
            search_indexed=len(fold(query.search)) >= SHORTEST_INDEXED_SEARCH,
        )

    @property
    def filtered(self) -> bool:
        """Whether a stretch of the order may hold entries that do not match."""
        return bool(self.done or self.prioritised or self.tags or self.bounds or self.searched)


_BOUNDS: Mapping[str, Condition] = {
    "due_before": todo_entry.c.due < bindparam("due_before"),
    "due_after": todo_entry.c.due >= bindparam("due_after"),
    "completed_before": todo_entry.c.completed_at < bindparam("completed_before"),
    "completed_after": todo_entry.c.completed_at >= bindparam("completed_after"),
}


def values_of(query: TodoQuery, search: TextSearch) -> dict[str, object]:
    """Answer the values in the statements for a query, `window` aside."""
    values: dict[str, object] = {"limit": query.limit + 1}
    if query.start is not None:
        values |= {"key": _stored(query.start.key), "id": query.start.id}
    if query.priorities:
        values["priorities"] = sorted(priority.rank for priority in query.priorities)
    for number, tag in enumerate(query.tags):
        values[f"tag_{number}"] = tag
    for name in _BOUNDS:
        values[name] = to_microseconds(getattr(query, name))
    if query.search:
        wanted = fold(query.search)
        values |= {"wanted": wanted, "pattern": search.pattern(wanted)}
    return values


@lru_cache(maxsize=1_000)
def page_in_order(shape: Shape, search: TextSearch) -> Statement:
    """Answer the select of a page from the next `window` entries of the order.

    Its rows are those of `_page`; `candidates` counts what was read of the order.
    """
    candidates = _stretch(shape).cte("candidates")
    if not shape.filtered:
        return _page(shape, candidates, candidates)
    page = (
        select(candidates.c.number)
        .join(todo_entry, todo_entry.c.number == candidates.c.number)
        .where(*_conditions(shape, search))
        .order_by(*_order(shape, candidates.c.key, candidates.c.id))
        .limit(_LIMIT)
    )
    return _page(shape, page.subquery("page"), candidates)


@lru_cache(maxsize=1_000)
def page_of_found(shape: Shape, search: TextSearch) -> Statement:
    """Answer the select of a page from all entries that match, found by their indexes.

    Its rows are those of `_page`; `candidates` counts the entries on all pages.
    """
    candidates = (
        select(todo_entry.c.number, _key(shape), todo_entry.c.id)
        .where(*_indexed_conditions(shape, search))
        .cte("candidates")
        .prefix_with("MATERIALIZED")
    )
    page = (
        select(candidates.c.number)
        .where(*_after_start(shape, candidates.c.key, candidates.c.id))
        .order_by(*_order(shape, candidates.c.key, candidates.c.id))
        .limit(_LIMIT)
    )
    return _page(shape, page.subquery("page"), candidates)


def _page(shape: Shape, page: FromClause, candidates: CTE) -> Statement:
    """Answer the rows of a page in their order: ENTRY_COLUMNS, and what is counted.

    Being one statement it tells of one moment. A page without entries has one row all the
    same, in which they are null.
    """
    return (
        select(
            *ENTRY_COLUMNS,
            todo_store.c.revision.label("store_revision"),
            todo_store.c.entries.label("all_entries"),
            todo_store.c.open_entries.label("open_entries"),
            select(func.count()).select_from(candidates).scalar_subquery().label("candidates"),
        )
        .select_from(todo_store)
        .outerjoin(page, true())
        .outerjoin(todo_entry, todo_entry.c.number == page.c.number)
        .order_by(*_order(shape, _SORT_COLUMNS[shape.sort], todo_entry.c.id))
    )


def _stretch(shape: Shape) -> Statement:
    """Answer the next `window` entries of the order, or of the order of the open ones."""
    parts = [
        select(todo_entry.c.number, _key(shape), todo_entry.c.id)
        .where(*part)
        .order_by(*_turned(shape, _SORT_COLUMNS[shape.sort], todo_entry.c.id))
        .limit(_WINDOW)
        for part in _parts(shape)
    ]
    if len(parts) == 1:
        return parts[0]
    rows = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(rows).order_by(*_order(shape, rows.c.key, rows.c.id)).limit(_WINDOW)


def _parts(shape: Shape) -> Sequence[Sequence[Condition]]:
    """Answer the conditions of the stretches of an index that make up the rest of an order.

    There are two where entries without a key, which come last, have yet to come.
    """
    key, id = _SORT_COLUMNS[shape.sort], todo_entry.c.id
    is_open = (todo_entry.c.completed_at.is_(None),) if shape.done is False else ()
    if shape.sort is not Sort.DUE:
        return [(*_after_start(shape, key, id), *is_open)]
    without_key = (key.is_(None), *is_open)
    if shape.started and not shape.start_has_key:
        return [(*_after_start(shape, key, id), *is_open)]
    with_key = _after(shape, key, id) if shape.started else key >= _EARLIEST
    return [(with_key, *is_open), without_key]


def _after_start(
    shape: Shape, key: ColumnElement[Any], id: ColumnElement[UUID]
) -> Sequence[Condition]:
    if not shape.started:
        return ()
    if shape.start_has_key:
        after = _after(shape, key, id)
        return (or_(after, key.is_(None)) if shape.sort is Sort.DUE else after,)
    start = bindparam("id", type_=id.type)
    return (key.is_(None), id < start if shape.descending else id > start)


def _after(
    shape: Shape, key: ColumnElement[Any], id: ColumnElement[UUID]
) -> ColumnElement[bool]:
    place = tuple_(key, id)
    start = tuple_(bindparam("key", type_=key.type), bindparam("id", type_=id.type))
    return place < start if shape.descending else place > start


def _conditions(shape: Shape, search: TextSearch) -> Sequence[Condition]:
    """Answer what must hold of a row at hand."""
    conditions = list(_plain_conditions(shape))
    for number in range(shape.tags):
        carries = select(todo_entry_tag.c.entry).where(
            todo_entry_tag.c.tag == bindparam(f"tag_{number}"),
            todo_entry_tag.c.entry == todo_entry.c.number,
        )
        conditions.append(exists(carries))
    if shape.searched:
        carries = _wanted_tags().where(todo_entry_tag.c.entry == todo_entry.c.number)
        conditions.append(or_(search.contains(), exists(carries)))
    return conditions


def _indexed_conditions(shape: Shape, search: TextSearch) -> Sequence[Condition]:
    """Answer the same as _conditions, put so that indexes can find the rows."""
    if shape.searched and not shape.search_indexed:
        return _conditions(shape, search)
    conditions = list(_plain_conditions(shape))
    for number in range(shape.tags):
        carrying = select(todo_entry_tag.c.entry).where(
            todo_entry_tag.c.tag == bindparam(f"tag_{number}")
        )
        conditions.append(todo_entry.c.number.in_(carrying))
    if shape.searched:
        found = union(search.numbers(), _wanted_tags())
        conditions.append(todo_entry.c.number.in_(found))
    return conditions


def _plain_conditions(shape: Shape) -> Sequence[Condition]:
    conditions = [condition for name, condition in _BOUNDS.items() if name in shape.bounds]
    if shape.done is not None:
        completed_at = todo_entry.c.completed_at
        conditions.append(completed_at.is_not(None) if shape.done else completed_at.is_(None))
    if shape.prioritised:
        conditions.append(todo_entry.c.priority.in_(_PRIORITIES))
    return conditions


def _wanted_tags() -> Select[tuple[int]]:
    """Answer the numbers of the entries that carry a tag which is, folded, what is wanted."""
    return (
        select(todo_entry_tag.c.entry)
        .join(todo_tag, todo_tag.c.tag == todo_entry_tag.c.tag)
        .where(todo_tag.c.folded == bindparam("wanted"))
    )


def _order(
    shape: Shape, key: ColumnElement[Any], id: ColumnElement[UUID]
) -> Sequence[ColumnElement[Any]]:
    turned = _turned(shape, key, id)
    return (key.is_(None), *turned) if shape.sort is Sort.DUE else turned


def _turned(
    shape: Shape, key: ColumnElement[Any], id: ColumnElement[UUID]
) -> Sequence[UnaryExpression[Any]]:
    if shape.descending:
        return key.desc(), id.desc()
    return key.asc(), id.asc()


def _key(shape: Shape) -> ColumnElement[Any]:
    return _SORT_COLUMNS[shape.sort].label("key")


def _stored(key: SortKey) -> int | str | None:
    """Answer a key as the tables have it."""
    if isinstance(key, datetime):
        return to_microseconds(key)
    if isinstance(key, str):
        return key.partition("\0")[0]  # no entry has one, and PostgreSQL takes none
    return key
