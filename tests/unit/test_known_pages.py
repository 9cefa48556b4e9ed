"""Which pages are kept because they may be asked for again."""

from dataclasses import replace

from myapp.domain.todo_entry_repository import (
    PAGE_DEFAULT,
    PAGE_MOST,
    Page,
    Position,
    TodoQuery,
)
from myapp.infrastructure.database.known_pages import KnownPages
from tests.contract.entries import new_entry

_PAGE = Page(entries=[new_entry()], revision=1, next=None, total=None)


def test_a_page_is_kept_under_its_query() -> None:
    pages, query = KnownPages(), TodoQuery(search="milk")

    pages.keep(query, _PAGE)

    assert pages.get(replace(query)) is _PAGE
    assert pages.get(TodoQuery()) is None


def test_the_last_page_counts() -> None:
    pages, query, later = KnownPages(), TodoQuery(), replace(_PAGE, revision=2)

    pages.keep(query, _PAGE)
    pages.keep(query, later)

    assert pages.get(query) is later


def test_none_is_kept_once_something_has_changed() -> None:
    pages, query = KnownPages(), TodoQuery()
    pages.keep(query, _PAGE)

    pages.clear()

    assert pages.get(query) is None


def test_further_pages_are_not_kept() -> None:
    pages, entry = KnownPages(), new_entry()
    query = TodoQuery(start=Position(entry.created_at, entry.id))

    pages.keep(query, _PAGE)

    assert pages.get(query) is None


def test_pages_of_the_usual_length_are_kept() -> None:
    pages, query = KnownPages(), TodoQuery()
    page = replace(_PAGE, entries=[new_entry()] * PAGE_DEFAULT)

    pages.keep(query, page)

    assert pages.get(query) is page


def test_pages_that_take_much_memory_are_not_kept() -> None:
    pages, long, many = KnownPages(), TodoQuery(), TodoQuery(limit=PAGE_MOST)

    pages.keep(long, replace(_PAGE, entries=[new_entry(notes="n" * 15_000)] * 5))
    pages.keep(many, replace(_PAGE, entries=[new_entry()] * (PAGE_DEFAULT + 1)))

    assert pages.get(long) is None
    assert pages.get(many) is None


def test_few_are_kept_the_newest_among_them() -> None:
    pages = KnownPages()
    queries = [TodoQuery(limit=limit) for limit in range(1, 101)]

    for query in queries:
        pages.keep(query, _PAGE)
        assert pages.get(query) is _PAGE

    assert 0 < sum(pages.get(query) is not None for query in queries) <= 20
