"""TodoQuery as SQL: which statement answers a page, and with which values.

A page is cut either from a stretch of the order itself, read along its index from where the
page begins, or from all that the indexes of the conditions find. A statement depends on
the shape of a query alone, so that there are few, and each is made once.

How texts are searched is all that the databases differ in here: a `TextSearch`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from operator import ge, lt
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Label,
    Select,
    SmallInteger,
    Text,
    bindparam,
    func,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from myapp.domain.text import fold
from myapp.domain.todo import TAGS_MOST
from myapp.domain.todo_entry_repository import Sort, SortKey, TodoQuery
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS
from myapp.infrastructure.database.sql.schema import (
    todo_entry,
    todo_entry_tag,
    todo_store,
    todo_tag,
)
from myapp.infrastructure.database.sql.statements import SelectStatement, Values
from myapp.infrastructure.database.sql.text_search import Condition, TextSearch, words_in

SHORTEST_INDEXED_SEARCH = 3
"""Code points; the search indexes know texts by their trigrams."""

FEW = 256
"""Where an index finds fewer it is not worth looking along the order first."""

_SORT_COLUMNS = {
    Sort.CREATED: "created_at",
    Sort.UPDATED: "updated_at",
    Sort.DUE: "due",
    Sort.PRIORITY: "priority",
    Sort.CONTENT: "content_key",
}
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], Condition]]] = {
    "due_before": ("due", lt),
    "due_after": ("due", ge),
    "completed_before": ("completed_at", lt),
    "completed_after": ("completed_at", ge),
}
_ROW = (
    *ENTRY_COLUMNS,
    todo_entry.c.number,
    todo_entry.c.content_key,
    todo_entry.c.search_text,
)
_EARLIEST = to_microseconds(datetime.min.replace(tzinfo=UTC))
_LIMIT = bindparam("limit", type_=Integer)
_WINDOW = bindparam("window", type_=Integer)

_TAGS = bindparam("tags", type_=Text, expanding=True)
_NUMBER_OF_TAGS = bindparam("number_of_tags", type_=Integer)
_PRIORITIES = bindparam("priorities", type_=SmallInteger, expanding=True)


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes the statement for a query, apart from the values in it."""

    sort: Sort
    descending: bool
    started: bool
    start_has_key: bool
    done: bool | None
    prioritised: bool
    tagged: bool
    bounds: frozenset[str]
    searched: bool
    search_indexed: bool
    tag_searched: bool
    word_searched: bool
    counted: bool

    @classmethod
    def of(cls, query: TodoQuery) -> Self:
        """Answer the shape of a query."""
        wanted = fold(query.search)
        return cls(
            sort=query.sort,
            descending=query.descending,
            started=query.start is not None,
            start_has_key=query.start is not None and query.start.key is not None,
            done=query.done,
            prioritised=bool(query.priorities),
            tagged=bool(query.tags),
            bounds=frozenset(name for name in _BOUNDS if getattr(query, name) is not None),
            searched=bool(query.search),
            search_indexed=len(wanted) >= SHORTEST_INDEXED_SEARCH,
            # No tag has a space: so to look for one in each text took half as long again.
            tag_searched=" " not in query.search,
            word_searched=bool(words_in(wanted)),
            counted=query.counted,
        )

    @property
    def filtered(self) -> bool:
        """Whether a stretch of the order may hold entries that do not match."""
        return bool(
            self.done or self.prioritised or self.tagged or self.bounds or self.searched
        )

    @property
    def only_tagged(self) -> bool:
        """Whether the index of an order has all that it takes to tell which entries match."""
        others = self.done or self.prioritised or self.bounds or self.searched
        return self.tagged and not others


def values_of(query: TodoQuery, search: TextSearch) -> Values:
    """Answer the values in the statements for a query, `window` aside."""
    values: dict[str, object] = {"limit": query.limit + 1}
    if query.start is not None:
        values |= {"key": _stored(query.start.key), "id": query.start.id}
    if query.priorities:
        values["priorities"] = sorted(priority.rank for priority in query.priorities)
    if query.tags:  # more than an entry may have are as good as one more
        values["tags"] = sorted(query.tags)[: TAGS_MOST + 1]
        values["number_of_tags"] = len(query.tags)
    for name in _BOUNDS:
        values[name] = to_microseconds(getattr(query, name))
    if query.search:
        values |= search.values(fold(query.search))
    return values


@lru_cache(maxsize=1_000)
def page_in_order(shape: Shape, search: TextSearch) -> SelectStatement:
    """Answer the select of a page from the next `window` entries of the order.

    It is read along the index until the page is full. Its rows are those of `_page`, but for
    a page without entries there are none: see `end_of_order`.
    """
    page = _matches_in_order(shape, search) if shape.filtered else _stretch(shape, _ROW)
    columns = page.selected_columns
    return page.with_only_columns(
        *(columns[column.name] for column in ENTRY_COLUMNS),
        *(select(told).scalar_subquery().label(told.name) for told in _of_store(shape)),
    )


@lru_cache(maxsize=1_000)
def end_of_order(shape: Shape) -> SelectStatement:
    """Answer the select of a page as page_in_order does, with a row in any case.

    For queries without filters. SQLite puts the page into a table and sorts it again for
    that, which takes it half as long again.
    """
    return _page(shape, _stretch(shape, _ROW).subquery("page"))


@lru_cache(maxsize=1_000)
def page_of_found(shape: Shape, search: TextSearch) -> SelectStatement:
    """Answer the select of a page from all entries that match, found by their indexes.

    Its rows are those of `_page`, with the total if that is asked for.
    """
    rows = _matching(shape, search)
    conditions = [*_plain_conditions(shape, rows)]
    if shape.searched and not shape.search_indexed:
        conditions.append(_has_wanted(shape, search, rows))
    found = (
        select(rows.c.number, rows.c.id, _key(shape, rows))
        .where(*conditions)
        .cte("found")
        .prefix_with("MATERIALIZED")  # or the order's index might be read instead
    )
    numbers = (
        select(found.c.number)
        .where(*_after_start(shape, found))
        .order_by(*_order(shape, found))
        .limit(_LIMIT)
    )
    page = select(*_ROW).where(todo_entry.c.number.in_(numbers)).subquery("page")
    count = select(func.count()).select_from(found).scalar_subquery()
    statement = _page(shape, page)
    return statement.add_columns(count.label("total")) if shape.counted else statement


@lru_cache(maxsize=1_000)
def page_of_few(shape: Shape, search: TextSearch) -> SelectStatement:
    """Answer the select of a page from the first FEW entries that the index of texts finds.

    Its rows are those of `_page`, and `tried` counts those entries, whatever they have.
    """
    few = (
        search.candidates(by_words=shape.word_searched)
        .limit(FEW)
        .cte("few")
        .prefix_with("MATERIALIZED")
    )
    page = (
        select(*_ROW)
        .where(
            todo_entry.c.number.in_(select(few)),
            *_conditions(shape, search, todo_entry),
            *_after_start(shape, todo_entry),
        )
        .order_by(*_order(shape, todo_entry))
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
        .order_by(*_order(shape, page))
    )


def _of_store(shape: Shape) -> Iterator[Label[int]]:
    """Answer the columns beside a page: the store's revision, and how many entries it counts.

    Only if they are asked for: each value of 50 rows costs SQLite's driver ten microseconds.
    """
    yield todo_store.c.revision.label("store_revision")
    if shape.counted and not shape.filtered:
        counted = todo_store.c.entries if shape.done is None else todo_store.c.open_entries
        yield counted.label("total")


def _matches_in_order(shape: Shape, search: TextSearch) -> SelectStatement:
    """Answer the first `limit` of the stretch that match.

    Where the index suffices to tell which do, the others are not read at all: SQLite takes
    half of the time then.
    """
    place = (todo_entry.c.number, todo_entry.c.id, _key(shape, todo_entry))
    rows = _stretch(shape, place if shape.only_tagged else _ROW).subquery("stretch")
    left = replace(shape, done=shape.done or None)  # of open ones the stretch has no others
    matches = (
        select(rows)
        .where(*_conditions(left, search, rows))
        .order_by(*_order(shape, rows))
        .limit(_LIMIT)
    )
    if not shape.only_tagged:
        return matches
    found = todo_entry.c.number.in_(matches.with_only_columns(rows.c.number))
    return select(*_ROW).where(found).order_by(*_order(shape, todo_entry))


def _stretch(shape: Shape, columns: Sequence[ColumnElement[Any]]) -> SelectStatement:
    """Answer the next `window` entries of the order, or of the order of the open ones."""
    parts = [
        select(*columns).where(*part).order_by(*_turned(shape, todo_entry)).limit(_WINDOW)
        for part in _parts(shape)
    ]
    if len(parts) == 1:
        return parts[0]
    rows = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(rows).order_by(*_order(shape, rows)).limit(_WINDOW)


def _parts(shape: Shape) -> Sequence[Sequence[Condition]]:
    """Answer the conditions of the stretches of an index that make up the rest of an order.

    There are two where entries without a key, which come last, have yet to come.
    """
    is_open = (todo_entry.c.completed_at.is_(None),) if shape.done is False else ()
    key = _key(shape, todo_entry)
    if shape.sort is not Sort.DUE or (shape.started and not shape.start_has_key):
        return [(*_after_start(shape, todo_entry), *is_open)]
    with_key = _after(shape, todo_entry) if shape.started else key >= _EARLIEST
    return [(with_key, *is_open), (key.is_(None), *is_open)]


def _after_start(shape: Shape, row: FromClause) -> Sequence[Condition]:
    key = _key(shape, row)
    if not shape.started:
        return ()
    if shape.start_has_key:
        after = _after(shape, row)
        return (or_(after, key.is_(None)) if shape.sort is Sort.DUE else after,)
    start = bindparam("id", type_=row.c.id.type)
    return (key.is_(None), row.c.id < start if shape.descending else row.c.id > start)


def _after(shape: Shape, row: FromClause) -> Condition:
    key = _key(shape, row)
    place = tuple_(key, row.c.id)
    start = tuple_(bindparam("key", type_=key.type), bindparam("id", type_=row.c.id.type))
    return place < start if shape.descending else place > start


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
    names = {"number", "id", "due", "completed_at", "priority", _SORT_COLUMNS[shape.sort]}
    if shape.searched and not shape.search_indexed:
        names.add("search_text")
    rows = select(*(todo_entry.c[name] for name in sorted(names))).where(*conditions)
    return rows.cte("matching").prefix_with("MATERIALIZED")


def _plain_conditions(shape: Shape, row: FromClause) -> Iterator[Condition]:
    for name in sorted(shape.bounds):
        column, compare = _BOUNDS[name]
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


def _order(shape: Shape, row: FromClause) -> Sequence[ColumnElement[Any]]:
    turned = _turned(shape, row)
    return (_key(shape, row).is_(None), *turned) if shape.sort is Sort.DUE else turned


def _turned(shape: Shape, row: FromClause) -> Sequence[ColumnElement[Any]]:
    columns = (_key(shape, row), row.c.id)
    return [column.desc() if shape.descending else column.asc() for column in columns]


def _key(shape: Shape, row: FromClause) -> ColumnElement[Any]:
    return row.c[_SORT_COLUMNS[shape.sort]]


def _stored(key: SortKey) -> int | str | None:
    """Answer a key as the tables have it."""
    if isinstance(key, datetime):
        return to_microseconds(key)
    if isinstance(key, str):
        return key.partition("\0")[0]  # no entry has one, and PostgreSQL takes none
    return key
