"""TodoQuery as SQL: which statement answers a page.

A page is cut either from a stretch of the order itself, read along its indexes from where the
page begins, or from all that the indexes of the conditions find. A statement depends on
the shape of a query alone, so that there are few, and each is made once.

The databases differ here in how texts are searched and orders are merged: see `Dialect`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Label,
    Select,
    SmallInteger,
    Text,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
    union,
)

from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS
from myapp.infrastructure.database.sql.schema import (
    todo_entry,
    todo_entry_tag,
    todo_store,
    todo_tag,
)
from myapp.infrastructure.database.sql.shape import BOUNDS, Shape
from myapp.infrastructure.database.sql.statements import SelectStatement
from myapp.infrastructure.database.sql.stretches import (
    after_start,
    halves,
    in_order,
    key_of,
    stretch,
)
from myapp.infrastructure.database.sql.text_search import Condition, TextSearch

FEW = 256
"""Where an index finds fewer it is not worth looking along the order first."""

_ROW = (*ENTRY_COLUMNS, todo_entry.c.content_key)
_LIMIT = bindparam("limit", type_=Integer)
_TAGS = bindparam("tags", type_=Text, expanding=True)
_NUMBER_OF_TAGS = bindparam("number_of_tags", type_=Integer)
_PRIORITIES = bindparam("priorities", type_=SmallInteger, expanding=True)


@lru_cache(maxsize=1_000)
def page_in_order(shape: Shape, dialect: Dialect) -> SelectStatement:
    """Answer the select of a page from the next `window` entries of the order.

    It is read along the index of the order until the page is full. Its rows are those of
    `_page`, but for a page without entries there are none: see `end_of_order`.
    """
    if shape.filtered:
        page = _matches_in_order(shape, dialect)
    else:
        page = stretch(shape, dialect, _ROW)
    # With the key, or SQLite would sort: it merges but by columns that are answered.
    names = dict.fromkeys([*(column.name for column in ENTRY_COLUMNS), shape.sort_column])
    return page.with_only_columns(
        *(page.selected_columns[name] for name in names),
        *(select(told).scalar_subquery().label(told.name) for told in _of_store(shape)),
    )


@lru_cache(maxsize=1_000)
def end_of_order(shape: Shape, dialect: Dialect) -> SelectStatement:
    """Answer the select of a page as page_in_order does, with a row in any case.

    For queries without filters. SQLite puts the page into a table and sorts it again for
    that, which takes it half as long again.
    """
    return _page(shape, stretch(shape, dialect, _ROW).subquery("page"))


@lru_cache(maxsize=1_000)
def page_of_found(shape: Shape, dialect: Dialect) -> SelectStatement:
    """Answer the select of a page from all entries that match, found by their indexes.

    Its rows are those of `_page`, with the total if that is asked for.
    """
    rows = _matching(shape, dialect.search)
    conditions = [*_plain_conditions(shape, rows)]
    if shape.searched and not shape.search_indexed:
        conditions.append(_has_wanted(shape, dialect.search, rows))
    if rows is todo_entry and shape.in_halves:
        conditions = [or_(*(and_(*conditions, half) for half in halves(shape)))]
    found = (
        select(rows.c.number, rows.c.id, key_of(shape, rows))
        .where(*conditions)
        .cte("found")
        .prefix_with("MATERIALIZED")  # or the order's index might be read instead
    )
    numbers = (
        select(found.c.number)
        .where(*after_start(shape, found))
        .order_by(*in_order(shape, found))
        .limit(_LIMIT)
    )
    page = select(*_ROW).where(todo_entry.c.number.in_(numbers)).subquery("page")
    count = select(func.count()).select_from(found).scalar_subquery()
    statement = _page(shape, page)
    return statement.add_columns(count.label("total")) if shape.counted else statement


@lru_cache(maxsize=1_000)
def page_of_few(shape: Shape, dialect: Dialect) -> SelectStatement:
    """Answer the select of a page from the first FEW entries that the index of texts finds.

    Its rows are those of `_page`, and `tried` counts those entries, whatever they have.
    """
    few = (
        dialect.search.candidates(by_words=shape.word_searched)
        .limit(FEW)
        .cte("few")
        .prefix_with("MATERIALIZED")
    )
    page = (
        select(*_ROW)
        .where(
            todo_entry.c.number.in_(select(few)),
            *_conditions(shape, dialect.search, todo_entry),
            *after_start(shape, todo_entry),
        )
        .order_by(*in_order(shape, todo_entry))
        .limit(_LIMIT)
    )
    tried = select(func.count()).select_from(few).scalar_subquery()
    return _page(shape, page.subquery("page")).add_columns(tried.label("tried"))


def _page(shape: Shape, page: FromClause) -> SelectStatement:
    """Answer the rows of a page in their order: ENTRY_COLUMNS, and what the store tells.

    Being one statement it tells of one moment. A page without entries has one row all the
    same, in which they are null.
    """
    return (
        select(*(page.c[column.name] for column in ENTRY_COLUMNS), *_of_store(shape))
        .select_from(todo_store)
        .outerjoin(page, true())
        .order_by(*in_order(shape, page))
    )


def _of_store(shape: Shape) -> Iterator[Label[int]]:
    """Answer the columns beside a page: the store's revision, and how many entries it counts.

    Only if they are asked for: each value of 50 rows costs SQLite's driver ten microseconds.
    """
    yield todo_store.c.revision.label("store_revision")
    if shape.counted and not shape.filtered:
        yield _number_of(shape.done).label("total")


def _number_of(done: bool | None) -> ColumnElement[int]:
    """Answer how many entries the store counts that are done, open, or either."""
    counts = todo_store.c
    if done is None:
        return counts.entries
    return counts.entries - counts.open_entries if done else counts.open_entries


def _matches_in_order(shape: Shape, dialect: Dialect) -> SelectStatement:
    """Answer the first `limit` of the stretch that match.

    Of the others no more is read than tells that they do not.
    """
    left = replace(shape, done=None)  # the stretch has no others
    columns = _needed(left, with_text=shape.searched)
    rows = stretch(shape, dialect, columns).subquery("stretch")
    numbers = (
        select(rows.c.number)
        .where(*_conditions(left, dialect.search, rows))
        .order_by(*in_order(shape, rows))
        .limit(_LIMIT)
    )
    found = todo_entry.c.number.in_(numbers)
    return select(*_ROW).where(found).order_by(*in_order(shape, todo_entry))


def _conditions(shape: Shape, search: TextSearch, row: FromClause) -> Sequence[Condition]:
    """Answer what must hold of a row at hand."""
    conditions = [*_plain_conditions(shape, row)]
    if shape.tagged:
        carried = select(func.count()).where(
            todo_entry_tag.c.tag.in_(_TAGS), todo_entry_tag.c.entry == row.c.number
        )
        conditions.append(carried.scalar_subquery() == _NUMBER_OF_TAGS)
    if shape.searched:
        conditions.append(_has_wanted(shape, search, row))
    return conditions


def _matching(shape: Shape, search: TextSearch) -> FromClause:
    """Answer the rows that the indexes of texts and tags find, or the whole table.

    They mostly leave fewer than those of the plain conditions, and so they come first.
    """
    conditions = [todo_entry.c.number.in_(_carrying_all())] if shape.tagged else []
    if shape.search_indexed:
        found = search.numbers(by_words=shape.word_searched)
        numbers = union(found, _carrying_wanted()) if shape.tag_searched else found
        conditions.append(todo_entry.c.number.in_(numbers))
    if not conditions:
        return todo_entry
    columns = _needed(shape, with_text=shape.searched and not shape.search_indexed)
    return select(*columns).where(*conditions).cte("matching").prefix_with("MATERIALIZED")


def _needed(shape: Shape, *, with_text: bool) -> Sequence[ColumnElement[Any]]:
    """Answer the columns of a row that tell its place, and whether conditions hold."""
    names = {"number", "id", shape.sort_column}
    names.update(BOUNDS[bound][0] for bound in shape.bounds)
    if shape.done is not None:
        names.add("completed_at")
    if shape.prioritised:
        names.add("priority")
    if with_text:
        names.add("search_text")
    return [todo_entry.c[name] for name in sorted(names)]


def _plain_conditions(shape: Shape, row: FromClause) -> Iterator[Condition]:
    for name in sorted(shape.bounds):
        column, compare = BOUNDS[name]
        yield compare(row.c[column], bindparam(name, type_=BigInteger))
    if shape.done is not None:
        completed_at = row.c.completed_at
        yield completed_at.is_not(None) if shape.done else completed_at.is_(None)
    if shape.prioritised:
        yield row.c.priority.in_(_PRIORITIES)


def _has_wanted(shape: Shape, search: TextSearch, row: FromClause) -> Condition:
    """Answer whether a row has what is searched for in its texts or as a tag."""
    in_texts = search.contains(row.c.search_text)
    if not shape.tag_searched:
        return in_texts
    return or_(in_texts, _is_one_of(_carrying_wanted(), row))


def _is_one_of(numbers: Select[tuple[int]], row: FromClause) -> Condition:
    """Answer whether a row is one of those, found out for each row by itself.

    PostgreSQL would make a join of EXISTS, and read all that carry a tag to look at some.
    """
    this = numbers.where(todo_entry_tag.c.entry == row.c.number).limit(1)
    return this.scalar_subquery().is_not(None)


def _carrying_all() -> Select[tuple[int]]:
    """Answer the numbers of the entries that carry all the tags asked for."""
    return (
        select(todo_entry_tag.c.entry)
        .where(todo_entry_tag.c.tag.in_(_TAGS))
        .group_by(todo_entry_tag.c.entry)
        .having(func.count() == _NUMBER_OF_TAGS)
    )


def _carrying_wanted() -> Select[tuple[int]]:
    """Answer the numbers of the entries with a tag that is, folded, what is searched for."""
    return (
        select(todo_entry_tag.c.entry)
        .join(todo_tag, todo_tag.c.tag == todo_entry_tag.c.tag)
        .where(todo_tag.c.folded == bindparam("wanted", type_=Text))
    )
