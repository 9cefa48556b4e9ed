"""Every repository: any page of any query is the one that the fake answers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.todo import Priority, TodoEntry
from myapp.domain.todo_entry_repository import (
    PAGE_MOST,
    Page,
    Sort,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.infrastructure.database.sql import sql_todo_entry_repository
from tests.contract.entries import LATER
from tests.contract.few_values import DRAFTS, QUERIES, starting_after
from tests.contract.storages import Storage
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.realistic_entries import realistic_entries
from tests.saving import save_all

_IDS = st.integers(min_value=0, max_value=2**128 - 1).map(lambda number: UUID(int=number))
_MANY_DRAFTS = st.lists(
    st.builds(replace, DRAFTS, id=_IDS), min_size=1, max_size=30, unique_by=lambda e: e.id
)
_QUERIES = st.one_of(QUERIES, st.builds(replace, QUERIES, limit=st.just(PAGE_MOST)))


@pytest.fixture(autouse=True)
def _few_entries_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQL choose among its ways to a page as if there were thousands of entries."""
    monkeypatch.setattr(sql_todo_entry_repository, "_SHORT_STRETCH", 3)
    monkeypatch.setattr(sql_todo_entry_repository, "_LONGEST_STRETCH", 12)
    monkeypatch.setattr(sql_todo_entry_repository, "_COMMON", 1)


@given(
    drafts=_MANY_DRAFTS,
    later=st.lists(DRAFTS, max_size=10),
    queries=st.lists(st.tuples(_QUERIES, st.none() | DRAFTS), min_size=25, max_size=25),
)
@settings(max_examples=15)
async def test_few_values_are_paged_alike(
    storage: Storage,
    drafts: Sequence[TodoEntry],
    later: Sequence[TodoEntry],
    queries: Sequence[tuple[TodoQuery, TodoEntry | None]],
) -> None:
    fake = InMemoryTodoEntryRepository()
    with TemporaryDirectory() as folder:
        async with storage.open(Path(folder)) as repository:
            for some in (fake, repository):
                await _live(some, drafts, later)
            for query, start in queries:
                if start is not None:
                    query = starting_after(query, start)
                await _assert_alike(repository, fake, query)


async def test_realistic_entries_are_paged_alike(repository: TodoEntryRepository) -> None:
    drafts = list(realistic_entries(400))
    fake = InMemoryTodoEntryRepository()
    for some in (fake, repository):
        await _live(some, drafts, drafts[::9])
    random = Random(7)
    for _ in range(150):
        query = _random_query(random, drafts)
        page = await _assert_alike(repository, fake, query)
        for _ in range(3):
            if page.next is None:
                break
            query = replace(query, start=page.next)
            page = await _assert_alike(repository, fake, query)


async def _live(
    repository: TodoEntryRepository, drafts: Sequence[TodoEntry], later: Sequence[TodoEntry]
) -> None:
    """Store entries, and then remove some, and give others what the later ones have."""
    present = await save_all(repository, *drafts)
    for number, draft in enumerate(later):
        place = number * 7 % len(present)
        if number % 3 == 0 and len(present) > 1:
            await repository.save(present.pop(place).remove(at=LATER))
        else:
            changed = present[place].change(at=LATER, content=draft.content, due=draft.due)
            (present[place],) = await save_all(repository, changed)


async def _assert_alike(
    repository: TodoEntryRepository, fake: InMemoryTodoEntryRepository, query: TodoQuery
) -> Page:
    page, expected = await repository.find(query), await fake.find(query)
    assert list(page.entries) == list(expected.entries), query
    assert replace(page, entries=()) == replace(expected, entries=()), query
    return page


def _random_query(random: Random, entries: Sequence[TodoEntry]) -> TodoQuery:
    """Answer a query with about two conditions that one of the entries fulfils, or nearly."""

    def perhaps(chance: float = 0.25) -> bool:
        return random.random() < chance

    one = random.choice(entries)
    start, length = random.randrange(len(one.content)), random.choice([1, 2, 3, 4, 8])
    moment = random.choice(entries).updated_at
    query = TodoQuery(
        search=one.content[start : start + length].strip() if perhaps() else "",
        tags=frozenset(one.tags[: random.randint(1, 2)]) if perhaps() else frozenset(),
        done=perhaps(0.5) if perhaps(0.4) else None,
        priorities=frozenset([one.priority, Priority.HIGH]) if perhaps() else frozenset(),
        due_before=moment if perhaps() else None,
        due_after=random.choice(entries).created_at if perhaps() else None,
        completed_before=moment if perhaps(0.1) else None,
        completed_after=random.choice(entries).created_at if perhaps(0.1) else None,
        sort=random.choice(list(Sort)),
        descending=perhaps(0.5),
        limit=random.choice([1, 2, 7, 100, PAGE_MOST]),
        counted=perhaps(),
    )
    return starting_after(query, one) if perhaps() else query
