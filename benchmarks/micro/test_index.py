"""What it takes to bring an order of 100,000 entries up to date, and to make it anew."""

from collections.abc import Sequence

import pytest

from benchmarks.micro.measuring import Measure, group
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Page, Sort, TodoQuery
from myapp.infrastructure.database.todo_index import TodoIndex
from tests.realistic_entries import realistic_entries

MANY = 100_000


@pytest.fixture(scope="module")
def many() -> Sequence[TodoEntry]:
    """Other entries than the thousand that come and go."""
    return list(realistic_entries(MANY, seed=2))


@group("index: a thousand entries come, a thousand go")
@pytest.mark.parametrize("sort", Sort)
def test_take_changes_in(
    benchmark: Measure[Page],
    many: Sequence[TodoEntry],
    entries: Sequence[TodoEntry],
    sort: Sort,
) -> None:
    index, query = TodoIndex(), TodoQuery(sort=sort, counted=True)
    index.load(many)
    removed = [entry.remove(at=entry.updated_at) for entry in entries]

    def come_and_go() -> Page:
        for states in (entries, removed):
            for state in states:
                index.put(state)
            page = index.find(query)
        return page

    assert benchmark(come_and_go).total == MANY


@group("index: an order of all")
@pytest.mark.parametrize("sort", Sort)
def test_make_an_order(benchmark: Measure[Page], many: Sequence[TodoEntry], sort: Sort) -> None:
    def make() -> Page:
        index = TodoIndex()
        index.load(many)
        return index.find(TodoQuery(sort=sort, counted=True))

    assert benchmark(make).total == MANY
