"""What a query asks for, and the keys of the orders; the storages' part is the contract's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Unpack
from uuid import UUID

import pytest
from hypothesis import given

from myapp.domain.errors import InvalidValue
from myapp.domain.text import fold
from myapp.domain.todo import CONTENT_MOST, Due, Priority, TodoEntry, TodoFields
from myapp.domain.todo_entry_repository import (
    PAGE_DEFAULT,
    PAGE_MOST,
    SORTED_CONTENT,
    Position,
    Sort,
    SortKey,
    TodoQuery,
    normalise_search,
)
from tests.contract import entries as arbitrary
from tests.contract.entries import LATER, NOON
from tests.contract.few_values import QUERIES

MICROSECOND = timedelta(microseconds=1)


def entry_of(
    content: str = "buy oat milk", *, done: bool = False, **fields: Unpack[TodoFields]
) -> TodoEntry:
    """Answer an entry made, and done if it is done, at noon."""
    return TodoEntry.create_from_content(content, id=UUID(int=1), at=NOON, done=done, **fields)


PLAIN = entry_of()
DONE = entry_of(done=True)
DUE = entry_of(due=Due(NOON))
DUE_THAT_DAY = entry_of(due=Due(NOON.date()))
END_OF_THAT_DAY = Due(NOON.date()).moment
TAGGED = entry_of("###", tags=("Home", "straße"))
NOTED = entry_of("###", notes="call\nJÖRG")
URGENT = entry_of(priority=Priority.HIGH)


@pytest.mark.parametrize(
    ("query", "entry"),
    [
        (TodoQuery(), PLAIN),
        (TodoQuery(), DONE),
        (TodoQuery(search=" \n"), PLAIN),
        (TodoQuery(search="OAT M"), PLAIN),
        (TodoQuery(search="l\r\njo\u0308"), NOTED),
        (TodoQuery(search="STRASSE"), TAGGED),
        (TodoQuery(tags=frozenset(["Home"])), TAGGED),
        (TodoQuery(tags=frozenset([" Home ", "straße"])), TAGGED),
        (TodoQuery(done=False), PLAIN),
        (TodoQuery(done=True), DONE),
        (TodoQuery(priorities=frozenset([Priority.NONE])), PLAIN),
        (TodoQuery(priorities=frozenset([Priority.LOW, Priority.HIGH])), URGENT),
        (TodoQuery(due_after=NOON), DUE),
        (TodoQuery(due_before=NOON + MICROSECOND), DUE),
        (TodoQuery(due_after=NOON, due_before=LATER), DUE),
        (TodoQuery(due_after=END_OF_THAT_DAY), DUE_THAT_DAY),
        (TodoQuery(completed_after=NOON), DONE),
        (TodoQuery(completed_before=NOON + MICROSECOND), DONE),
        (TodoQuery(completed_after=NOON, completed_before=LATER), DONE),
    ],
)
def test_an_entry_matches_when_every_condition_holds(
    query: TodoQuery, entry: TodoEntry
) -> None:
    assert query.matches(entry)


@pytest.mark.parametrize(
    ("query", "entry"),
    [
        (TodoQuery(search="bread"), PLAIN),
        (TodoQuery(search="oat  milk"), PLAIN),
        (TodoQuery(search="kcall"), NOTED),
        (TodoQuery(search="#\ncall"), NOTED),
        (TodoQuery(search="hom"), TAGGED),
        (TodoQuery(search="home strasse"), TAGGED),
        (TodoQuery(tags=frozenset(["home"])), TAGGED),
        (TodoQuery(tags=frozenset(["Home", "shop"])), TAGGED),
        (TodoQuery(done=False), DONE),
        (TodoQuery(done=True), PLAIN),
        (TodoQuery(priorities=frozenset([Priority.LOW, Priority.MEDIUM])), URGENT),
        (TodoQuery(due_before=NOON), DUE),
        (TodoQuery(due_after=NOON + MICROSECOND), DUE),
        (TodoQuery(due_after=LATER, due_before=NOON), DUE),
        (TodoQuery(due_before=END_OF_THAT_DAY), DUE_THAT_DAY),
        (TodoQuery(due_before=LATER), PLAIN),
        (TodoQuery(due_after=NOON), PLAIN),
        (TodoQuery(completed_before=NOON), DONE),
        (TodoQuery(completed_after=NOON + MICROSECOND), DONE),
        (TodoQuery(completed_before=LATER), PLAIN),
        (TodoQuery(completed_after=NOON), PLAIN),
        (TodoQuery(search="oat", done=True), PLAIN),
    ],
)
def test_an_entry_does_not_match_when_a_condition_fails(
    query: TodoQuery, entry: TodoEntry
) -> None:
    assert not query.matches(entry)


def test_a_query_without_its_search_keeps_every_other_condition() -> None:
    query = TodoQuery(search="milk", done=False, limit=7, tags=frozenset(["home"]))
    assert query.unsearched() == TodoQuery(done=False, limit=7, tags=frozenset(["home"]))


def test_a_query_asks_for_a_hundred_entries_in_the_order_of_their_creation() -> None:
    assert (PAGE_DEFAULT, PAGE_MOST) == (100, 1_000)
    assert TodoQuery().limit == PAGE_DEFAULT
    assert (TodoQuery().sort, TodoQuery().descending) == (Sort.CREATED, False)


@pytest.mark.parametrize("limit", [1, PAGE_MOST])
def test_a_page_may_have_any_size_within_the_limits(limit: int) -> None:
    assert TodoQuery(limit=limit).limit == limit


@pytest.mark.parametrize("limit", [-1, 0, PAGE_MOST + 1])
def test_a_page_of_another_size_is_refused(limit: int) -> None:
    with pytest.raises(InvalidValue, match="from 1 to 1,000") as caught:
        TodoQuery(limit=limit)
    assert caught.value.field == "limit"


def test_what_is_asked_for_is_normalised_like_what_is_stored() -> None:
    query = TodoQuery(search=" cafe\u0301\r\n", tags=frozenset(["cafe\u0301", " café "]))
    assert query.search == "café"
    assert query.tags == {"café"}


@pytest.mark.parametrize(
    ("text", "normalised"),
    [("", ""), (" \n ", ""), ("a\u2028b", "a\nb"), ("a\tb", "a\tb"), ("e\u0301", "é")],
)
def test_a_search_may_be_empty_and_have_lines(text: str, normalised: str) -> None:
    assert normalise_search(text) == normalised


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\x1b", "\ud800", "x" * (CONTENT_MOST + 1)])
def test_a_search_obeys_the_rules_of_text(text: str) -> None:
    for ask in (normalise_search, _search):
        with pytest.raises(InvalidValue) as caught:
            ask(text)
        assert caught.value.field == "search"
    assert normalise_search("x" * CONTENT_MOST)


def _search(text: str) -> TodoQuery:
    return TodoQuery(search=text)


@pytest.mark.parametrize("tag", ["", "a b", "a,b", "..", "\x00"])
def test_a_tag_asked_for_obeys_the_rules_of_tags(tag: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        TodoQuery(tags=frozenset([tag]))
    assert caught.value.field == "tags"


@pytest.mark.parametrize(
    ("sort", "entry", "key"),
    [
        (Sort.CREATED, replace(PLAIN, updated_at=LATER), NOON),
        (Sort.UPDATED, replace(PLAIN, updated_at=LATER), LATER),
        (Sort.DUE, PLAIN, None),
        (Sort.DUE, DUE, NOON),
        (Sort.DUE, DUE_THAT_DAY, END_OF_THAT_DAY),
        (Sort.DUE, entry_of(due=Due(date.max)), datetime.max.replace(tzinfo=UTC)),
        (Sort.PRIORITY, PLAIN, 0),
        (Sort.PRIORITY, URGENT, 3),
        (Sort.CONTENT, entry_of("Cafe\u0301 STRAẞE"), "café strasse"),
        (Sort.CONTENT, entry_of("ß" * 51), "ss" * 50),
        (Sort.CONTENT, entry_of("x" * 101), "x" * 100),
    ],
)
def test_every_order_has_its_key(sort: Sort, entry: TodoEntry, key: SortKey) -> None:
    assert sort.key(entry) == key


@given(entry=arbitrary.entries)
def test_the_key_of_content_is_short_and_begins_like_the_folded_text(entry: TodoEntry) -> None:
    key = Sort.CONTENT.key(entry)
    assert isinstance(key, str)
    assert len(key) <= SORTED_CONTENT
    assert fold(entry.content).startswith(key)


Turn = Callable[[str], str]


@pytest.mark.parametrize("turn", [str.upper, str.lower, str.title, str.swapcase])
def test_case_does_not_matter_to_a_search(turn: Turn) -> None:
    content = "Call the dentist, Straße 7, οδος"
    assert TodoQuery(search=turn(content)).matches(entry_of(content))


@given(QUERIES)
def test_the_query_of_a_page_is_the_same_but_for_its_start(query: TodoQuery) -> None:
    start = Position(NOON, UUID(int=7))
    assert query.page_after(start) == replace(query, start=start)
    assert query.start is None
