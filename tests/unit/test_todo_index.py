"""The index of a pickle storage against a plain loop, with enough entries to take turns."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from random import Random
from unittest.mock import Mock
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.todo import Priority, TodoEntry
from myapp.domain.todo_entry_repository import Sort, TodoQuery
from myapp.infrastructure.database import order
from myapp.infrastructure.database.text_blocks import TextBlocks
from myapp.infrastructure.database.todo_index import TodoIndex
from tests.contract.entries import LATER, NOON, new_entry
from tests.contract.few_values import DRAFTS, QUERIES, starting_after
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.realistic_entries import realistic_entries

MANY = 2_100

_CONTENTS = ["Straße", "STRASSE", "e\u0301ß", "😀 %_", "İi", "a\u0301s", "milk"]
_TAGS = ["home", "HOME", "ß", "ss", "😀"]

# What is asked of many entries: what most have, some, few, one or none, and all in each order.
ASKED = [
    *(TodoQuery(sort=sort, limit=7) for sort in Sort),
    *(TodoQuery(sort=sort, limit=7, descending=True, done=False) for sort in Sort),
    *(
        TodoQuery(search=search, sort=Sort.DUE, limit=7, counted=True)
        for search in ("milk", "strasse", "\u0301", "RARE-9", "home", "no\tone", "b\na")
    ),
    *(
        TodoQuery(search=entry.content[2:20], counted=True)  # phrases, of words that are few
        for entry in realistic_entries(20, seed=0)
    ),
    TodoQuery(tags=frozenset(["rare-1"]), counted=True),
    TodoQuery(tags=frozenset(["home-1", "rare-2"]), search="a", sort=Sort.CONTENT),
    TodoQuery(tags=frozenset(["rare-1"]), done=True, descending=True, limit=1),
    TodoQuery(search="milk", completed_after=LATER, due_before=NOON, limit=3),
]


class Both:
    """An index, and a plain loop that says what it should answer."""

    def __init__(self, *, seed: int) -> None:
        self.index = TodoIndex()
        self._plain = InMemoryTodoEntryRepository()
        self._random = Random(seed)  # the same each time
        self._ids: list[UUID] = []
        self.store(self.new_entries(MANY))

    def store(self, entries: Iterator[TodoEntry]) -> None:
        """Store entries in both."""
        for change in asyncio.run(self._plain.save(*entries)):
            self.index.put(change.after)
            self.index.revision = change.revision

    def new_entries(self, number: int) -> Iterator[TodoEntry]:
        """Answer new entries, of which many share what they say."""
        for entry in realistic_entries(number, seed=self._random.randrange(10**6)):
            self._ids.append(entry.id)
            yield self._varied(entry)

    def change_some(self, number: int) -> None:
        """Change, complete, remove, restore and add entries."""
        ids = self._random.sample(self._ids, number)
        states = asyncio.run(self._plain.last_states(ids))
        self.store(map(self._changed, states.values()))
        self.store(self.new_entries(number // 5))

    def remove_most(self) -> None:
        """Remove all entries that are there but a few."""
        self.store(entry.remove(at=LATER) for entry in self.index.entries()[10:])

    def check(self, *queries: TodoQuery) -> None:
        """Compare the first two pages of each, and the tags."""
        for query in queries:
            page = self.index.find(query)
            assert page == asyncio.run(self._plain.find(query)), query
            if page.next is not None:
                query = replace(query, start=page.next)
                assert self.index.find(query) == asyncio.run(self._plain.find(query)), query
        assert self.index.tags() == asyncio.run(self._plain.tags())

    def _changed(self, entry: TodoEntry) -> TodoEntry:
        if entry.removed:
            return replace(entry, removed_at=None)
        if self._random.random() < 0.3:
            return entry.remove(at=LATER)
        if self._random.random() < 0.3:
            return entry.reopen(at=LATER) if entry.done else entry.complete(at=LATER)
        return self._varied(entry)

    def _varied(self, entry: TodoEntry) -> TodoEntry:
        kind = self._random.random()
        if kind < 0.2:
            notes = self._random.choice(["", "b\na", "ßs"])
            return replace(entry, content=self._random.choice(_CONTENTS), notes=notes)
        if kind < 0.4:
            return replace(entry, tags=(self._random.choice(_TAGS),), created_at=NOON)
        if kind < 0.41:
            number = self._random.randrange(10)
            return replace(
                entry, content=f"Rare-{number} {entry.content}", tags=(f"rare-{number}",)
            )
        return entry


@pytest.fixture(scope="module")
def standing() -> Both:
    """Many entries that have changed a lot, to be asked only."""
    both = Both(seed=1)
    both.check(*ASKED)
    both.change_some(800)
    return both


@given(queries=st.lists(st.tuples(QUERIES, st.none() | DRAFTS), min_size=10, max_size=10))
@settings(max_examples=10)
def test_many_entries_are_found_as_a_plain_loop_finds_them(
    standing: Both, queries: list[tuple[TodoQuery, TodoEntry | None]]
) -> None:
    for query, start in queries:
        standing.check(query if start is None else starting_after(query, start))


def test_what_is_found_follows_many_changes() -> None:
    both = Both(seed=2)
    both.check(*ASKED)
    both.change_some(1_200)
    both.check(*ASKED)
    both.remove_most()
    both.check(*ASKED)
    both.store(both.new_entries(1_000))
    both.check(*ASKED)


@pytest.mark.parametrize("turns", [1, 5])
def test_what_changes_while_a_query_is_prepared_is_found(turns: int) -> None:
    both = Both(seed=3)
    for query in (ASKED[2], TodoQuery(search="rare-1", sort=Sort.CONTENT)):
        for _ in islice(both.index.prepare(query), turns):
            both.change_some(50)
        both.check(query)


def test_what_is_removed_while_a_query_is_prepared_is_not_found() -> None:
    both = Both(seed=3)
    query = TodoQuery(search="milk", sort=Sort.CREATED, counted=True)
    for turn, _ in enumerate(both.index.prepare(query)):
        if turn == 0:
            both.remove_most()  # of each block that has yet to be made
    both.check(query, *ASKED)


def test_a_query_that_two_prepare_in_turns_is_prepared_once() -> None:
    both = Both(seed=4)
    query = TodoQuery(search="rare-1", sort=Sort.CONTENT)

    first, second = both.index.prepare(query), both.index.prepare(query)
    turns = sum(1 for _ in zip(first, second))

    assert turns < sum(1 for _ in Both(seed=4).index.prepare(query))
    both.check(query)


def test_an_order_that_nobody_asks_for_long_is_made_anew() -> None:
    both, query = Both(seed=5), TodoQuery(sort=Sort.CONTENT)
    both.check(query)
    for _ in range(10):
        both.change_some(100)  # more than would be taken in, all in all
    new = TodoIndex()
    new.load(both.index.entries())
    turns = [sum(1 for _ in index.prepare(query)) for index in (both.index, new)]
    assert turns[0] == turns[1] > 3
    both.check(query)


def test_an_order_that_could_not_take_a_change_in_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = Both(seed=6)
    both.check(*ASKED)
    both.change_some(300)
    with monkeypatch.context() as context, pytest.raises(MemoryError):
        context.setattr(order, "_place", Mock(side_effect=MemoryError))
        both.index.find(ASKED[0])
    both.check(*ASKED)


@dataclass(frozen=True, kw_only=True)
class WatchedQuery(TodoQuery):
    """A query that remembers which entries it was asked about."""

    asked: list[TodoEntry] = field(default_factory=list, compare=False)

    def matches(self, entry: TodoEntry) -> bool:
        self.asked.append(entry)
        return super().matches(entry)


@pytest.mark.parametrize(
    "query",
    [
        WatchedQuery(tags=frozenset(["rare"])),
        WatchedQuery(done=True),
        WatchedQuery(done=False),
        WatchedQuery(search="rare", priorities=frozenset(Priority)),
    ],
)
@pytest.mark.parametrize("loaded", [False, True])
def test_what_few_entries_match_is_found_without_asking_most(
    query: WatchedQuery, loaded: bool
) -> None:
    def entry(number: int) -> TodoEntry:
        if number % 105 == 5:  # one in a hundred, which is as many as are few
            return new_entry("rare", tags=("rare",), done=bool(query.done))
        return new_entry(done=not query.done)

    index, entries = TodoIndex(), [entry(number) for number in range(MANY)]
    if loaded:
        index.load(entries[: MANY // 2])
        index.load(entries[MANY // 2 :])
    else:
        for one in entries:
            index.put(one)
    watched = replace(query, counted=True, asked=[])

    page = index.find(watched)

    assert page.entries == entries[5::105]
    assert page.total == len(page.entries)
    assert len(watched.asked) < 100


def test_a_page_of_what_most_entries_match_asks_no_further_than_it_goes() -> None:
    index = TodoIndex()
    for _ in range(MANY):
        index.put(new_entry())

    index.find(query := WatchedQuery(done=False, limit=10))

    assert len(query.asked) == 11  # the last tells that there is more


def test_a_page_of_all_entries_asks_none_of_them() -> None:
    index = TodoIndex()
    index.put(entry := new_entry())

    page = index.find(query := WatchedQuery(counted=True))

    assert (page.entries, page.total) == ([entry], 1)
    assert not query.asked


def test_others_have_their_turns_while_what_all_entries_say_is_joined() -> None:
    index = TodoIndex()
    for _ in range(MANY):
        index.put(new_entry())
    index.find(TodoQuery())

    turns = sum(1 for _ in index.prepare(TodoQuery(search="milk")))

    assert MANY / 300 <= turns <= MANY / 100


def test_others_have_their_turns_more_often_if_texts_are_long() -> None:
    index = TodoIndex()
    for _ in range(100):
        index.put(new_entry(notes="milk and oats " * 1_000))

    turns = sum(1 for _ in index.prepare(TodoQuery(search="milk")))

    assert turns > 10


def test_an_entry_is_found_however_often_the_next_one_changes() -> None:
    index, first, second = TodoIndex(), new_entry("milk"), new_entry("tea")
    index.put(first)
    for _ in range(3):
        index.put(second)
        assert index.find(TodoQuery(search="milk")).entries == [first]


def test_the_first_of_many_entries_is_found_by_its_first_words() -> None:
    index, first = TodoIndex(), new_entry("zest of two lemons")
    index.put(first)
    for _ in range(MANY):
        index.put(new_entry("milk"))
    query = TodoQuery(search="zest of two", sort=Sort.CONTENT)
    assert index.find(query).entries == [first]


def test_who_has_all_pairs_of_a_phrase_does_not_say_it_for_its_neighbours() -> None:
    contents = ["buy oat milk now", "oat mud milk now", "buy oat milk now", "oat mud milk now"]
    entries = {number: new_entry(content) for number, content in enumerate(contents)}
    blocks = TextBlocks(entries)
    for _ in blocks.prepare():
        pass
    assert list(blocks.find("uy oat milk n")) == [0, 2]


@pytest.mark.parametrize("again", [False, True])
def test_what_is_loaded_is_there_as_if_it_had_been_put(again: bool) -> None:
    entries = [entry.stored(number) for number, entry in enumerate(realistic_entries(50), 1)]
    entries[7] = entries[7].remove(at=LATER)
    batches = [
        entries[10:],
        [*entries[:10], entries[20].add_tag("again", at=LATER)],
        [entries[7]],
    ]
    loaded, put = TodoIndex(), TodoIndex()
    for batch in [entries[10:20], *batches] if again else [entries[:7], entries[8:]]:
        loaded.load(batch)
        for entry in batch:
            put.put(entry)
    assert {entry.id: entry for entry in loaded.entries()} == {
        entry.id: entry for entry in put.entries()
    }
    assert loaded.tags() == put.tags()
    for query in ASKED:
        assert loaded.find(query) == put.find(query)


def test_a_first_page_is_known_until_the_revision_is_another() -> None:
    index, query, another = TodoIndex(), TodoQuery(limit=2), TodoQuery(limit=1)
    entries = [entry.stored(number) for number, entry in enumerate(realistic_entries(5), 1)]
    index.load(entries[:4])
    assert index.known(query) is None

    page = index.find(query)
    assert index.known(replace(query)) is page
    assert index.known(another) is None

    index.put(entries[4])
    index.revision += 1
    assert index.known(query) is None
    assert index.find(query) == index.known(query) == replace(page, revision=1)
