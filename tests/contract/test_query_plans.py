"""SQL only: which indexes answer a query, however the entries are spread."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ClauseElement, Connection, text

from myapp.domain.todo import Priority, TodoEntry
from myapp.domain.todo_entry_repository import Position, Sort, TodoQuery
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connections import Connections
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.opening import connected
from myapp.infrastructure.database.sql.postgresql_dialect import Postgresql
from myapp.infrastructure.database.sql.queries import (
    page_in_order,
    page_of_few,
    page_of_found,
)
from myapp.infrastructure.database.sql.shape import Shape, values_of
from myapp.infrastructure.database.sql.sql_archive import SqlArchive
from myapp.infrastructure.database.sql.sqlite_dialect import Sqlite
from myapp.infrastructure.database.sql.statements import SelectStatement, Statements, Values
from myapp.infrastructure.database.storage import open_archive
from tests.contract.entries import LATER, NOON
from tests.realistic_entries import realistic_entries
from tests.storages import STORAGE_URLS

ENTRIES = 20_000

_PageOf = Callable[[Shape, Dialect], SelectStatement]
_Node = dict[str, Any]  # of a plan in JSON

_FILTERED = {
    "search": TodoQuery(search="garden invoice pay"),
    "tag": TodoQuery(tags=frozenset({"home-1"})),
    "tags": TodoQuery(tags=frozenset({"home-1", "work-2"})),
    "priority": TodoQuery(priorities=frozenset({Priority.HIGH})),
    "priorities": TodoQuery(priorities=frozenset({Priority.LOW, Priority.HIGH})),
    "due before": TodoQuery(due_before=NOON),
    "due within": TodoQuery(due_after=NOON, due_before=LATER),
    "completed after": TodoQuery(completed_after=NOON),
    "open with tag": TodoQuery(tags=frozenset({"home-1"}), done=False),
    "everything": TodoQuery(
        search="garden invoice pay",
        tags=frozenset({"home-1"}),
        done=True,
        priorities=frozenset({Priority.HIGH}),
        due_after=NOON,
        completed_before=LATER,
    ),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def connections(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Connections]:
    """Connections to a database with so many entries that reading all of them is slow."""
    name: str = request.param
    url = STORAGE_URLS[name](tmp_path_factory.mktemp("plans"))
    archive = open_archive(url)
    await archive.migrate()
    await archive.load(_entries(), revision=ENTRIES)
    path = Path(url.removeprefix("sqlite:///"))
    dialect: Dialect = Sqlite(path) if name == "sqlite" else Postgresql(url)
    async with connected(dialect, StorageOptions()) as opened:
        yield opened


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("done", [None, False, True], ids=["all", "open", "done"])
async def test_a_page_is_read_along_the_indexes_of_its_order(
    connections: Connections, sort: Sort, descending: bool, done: bool | None
) -> None:
    entry = next(realistic_entries(1, seed=7))
    query = TodoQuery(sort=sort, descending=descending, done=done)
    columns = {Sort.DUE: "due", Sort.PRIORITY: "priority", Sort.CONTENT: "content_key"}
    column = columns.get(sort, f"{sort}_at")
    halves = ["open"] * (done is not True) + ["done"] * (done is not False)
    for start in (None, Position(sort.key(entry), entry.id)):
        steps = await _plan(connections, replace(query, start=start), page_in_order)
        read = {index for step in steps for index in re.findall(r"todo_entry_\w+", step)}
        assert read == {f"todo_entry_{half}_{column}" for half in halves}, steps
        assert "SCAN todo_entry" not in steps
        # Two stretches, with and without a key, are put together; two halves are merged.
        if start or sort is not Sort.DUE:
            assert not {"Sort", "USE TEMP B-TREE FOR ORDER BY"}.intersection(steps), steps


@pytest.mark.parametrize("name", _FILTERED)
@pytest.mark.parametrize("sort", [Sort.CREATED, Sort.DUE])
async def test_filtered_entries_are_found_by_the_indexes_of_the_filters(
    connections: Connections, name: str, sort: Sort
) -> None:
    steps = await _plan(connections, replace(_FILTERED[name], sort=sort), page_of_found)
    assert not _whole_tables(steps), steps
    orders = ("todo_entry_open_created_at", "todo_entry_done_created_at")
    assert not any(order in step for step in steps for order in orders), steps


async def test_a_search_uses_the_index_for_searches(connections: Connections) -> None:
    steps = await _plan(connections, TodoQuery(search="garden invoice pay"), page_of_found)
    assert any("todo_entry_search" in step for step in steps), steps


@pytest.mark.parametrize("sort", Sort)
async def test_the_few_entries_that_an_index_of_texts_finds_are_read_by_their_numbers(
    connections: Connections, sort: Sort
) -> None:
    query = TodoQuery(search="pay garden invoice pay", done=False, sort=sort)
    steps = await _plan(connections, query, page_of_few)
    assert any("todo_entry_search_phrases" in step for step in steps), steps
    assert not _whole_tables(steps), steps
    assert not any("todo_entry_open_" in step for step in steps), steps


@pytest.mark.parametrize("prepare", ["", "DROP EXTENSION pg_trgm CASCADE"])
async def test_phrases_are_found_by_words_without_statistics_or_the_extension_for_trigrams(
    tmp_path: Path, prepare: str
) -> None:
    dialect = Postgresql(STORAGE_URLS["postgresql"](tmp_path))
    dialect.after_load = (text(prepare),) if prepare else ()
    await SqlArchive(dialect, StorageOptions()).load(_entries(2_000), revision=2_000)
    query = TodoQuery(search="pay garden invoice pay")
    async with connected(dialect, StorageOptions()) as connections:
        for page in (page_of_few, page_of_found):
            steps = await _plan(connections, query, page)
            assert any("SEARCH todo_entry_search_phrases" in step for step in steps), steps
            assert not _whole_tables(steps), steps


async def _entries(count: int = ENTRIES) -> AsyncIterator[Sequence[TodoEntry]]:
    drafts = enumerate(realistic_entries(count), start=1)
    entries = [replace(entry, revision=revision) for revision, entry in drafts]
    for start in range(0, count, 1_000):
        yield entries[start : start + 1_000]


async def _plan(connections: Connections, query: TodoQuery, page: _PageOf) -> Sequence[str]:
    """Answer the steps in which the database would read the page, a line each."""
    dialect = connections.dialect
    statement = page(Shape.of(query), dialect)
    with _last_executed() as executed:
        values = {**values_of(query, dialect.search), "window": 100}
        await connections.fetch(statement, values)
    sql, places = executed[0]
    explain = partial(_explain, statement=sql, values=tuple(places))
    return await dialect.run_sync(explain, StorageOptions())


@contextmanager
def _last_executed() -> Iterator[list[tuple[str, Sequence[object]]]]:
    """Answer the list of what is executed meanwhile, as the drivers get it."""
    executed: list[tuple[str, Sequence[object]]] = []
    fill = Statements.fill

    def noted(
        self: Statements, statement: ClauseElement, values: Values
    ) -> tuple[str, Sequence[object]]:
        filled = fill(self, statement, values)
        executed.append(filled)
        return filled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Statements, "fill", noted)
        yield executed


def _explain(
    connection: Connection, statement: str, values: tuple[object, ...]
) -> Sequence[str]:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row.detail for row in rows]
    explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    (root,) = explained.scalar_one()
    return [_line(node) for node in _nodes(root["Plan"])]


def _nodes(node: _Node) -> Iterator[_Node]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _line(node: _Node) -> str:
    """Tell a step of PostgreSQL's as SQLite would."""
    index = node.get("Index Name", "")
    table = node.get("Relation Name") or index
    if node["Node Type"] == "Bitmap Heap Scan":  # reads what the step below it finds
        return f"SEARCH {table}"
    if not table:
        return str(node["Node Type"])
    verb = "SEARCH" if "Index Cond" in node else "SCAN"
    return f"{verb} {table} USING INDEX {index}" if index else f"{verb} {table}"


def _whole_tables(steps: Sequence[str]) -> Sequence[str]:
    """Answer the steps that read a whole table, or a whole index of one.

    The index of what is completed is no such thing: it is asked for what is.
    """
    whole = re.compile(r"SCAN todo_(entry|tag)(?!.*(_completed_at|VIRTUAL TABLE))")
    return [step for step in steps if whole.match(step)]
