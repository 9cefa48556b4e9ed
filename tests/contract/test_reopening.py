"""Every repository that persists: what it holds after it was closed and opened again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.errors import StaleTodoEntry, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Sort, TagUse, TodoQuery
from tests.contract import entries as arbitrary
from tests.contract.entries import LATER, entries_of, new_entry, save
from tests.contract.storages import Storage
from tests.realistic_entries import realistic_entries
from tests.saving import save_all


@given(drafts=st.lists(arbitrary.entries, max_size=4, unique_by=lambda entry: entry.id))
@settings(max_examples=30)
async def test_every_field_of_every_entry_is_kept(
    persistent: Storage, drafts: list[TodoEntry]
) -> None:
    with TemporaryDirectory() as folder:
        async with persistent.open(Path(folder)) as repository:
            stored = await save_all(repository, *drafts)
            assert [replace(entry, revision=0) for entry in stored] == drafts
            assert [await repository.get(entry.id) for entry in stored] == list(stored)
        async with persistent.open(Path(folder)) as repository:
            assert [await repository.get(entry.id) for entry in stored] == list(stored)
            assert len(await entries_of(repository)) == len(stored)


async def test_changes_and_removals_are_kept(persistent: Storage, tmp_path: Path) -> None:
    async with persistent.open(tmp_path) as repository:
        one, two = await save_all(
            repository, new_entry("one", tags=("home",)), new_entry("two", tags=("shop",))
        )
        changed = await save(repository, one.add_tag("new", at=LATER).complete(at=LATER))
        await repository.save(two.remove(at=LATER))
    for _ in range(2):
        async with persistent.open(tmp_path) as repository:
            assert await entries_of(repository) == [changed]
            assert await repository.tags() == [TagUse("home", 0, 1), TagUse("new", 0, 1)]
            with pytest.raises(TodoEntryNotFound):
                await repository.get(two.id)


async def test_what_is_answered_is_the_same_after_reopening(
    persistent: Storage, tmp_path: Path
) -> None:
    queries = [
        TodoQuery(),
        TodoQuery(sort=Sort.CONTENT, descending=True, limit=7, counted=True),
        TodoQuery(sort=Sort.DUE, search="ss"),
        TodoQuery(sort=Sort.PRIORITY, done=False),
    ]
    async with persistent.open(tmp_path) as repository:
        stored = await save_all(repository, *realistic_entries(60))
        await repository.save(*(entry.remove(at=LATER) for entry in stored[::7]))
        pages = [await repository.find(query) for query in queries]
        tags = await repository.tags()
    async with persistent.open(tmp_path) as repository:
        assert [await repository.find(query) for query in queries] == pages
        assert await repository.tags() == tags


async def test_a_walk_through_the_pages_goes_on_after_reopening(
    persistent: Storage, tmp_path: Path
) -> None:
    query = TodoQuery(sort=Sort.CONTENT, limit=20)
    async with persistent.open(tmp_path) as repository:
        await repository.save(*realistic_entries(40))
        expected = await entries_of(repository, query)
        first = await repository.find(query)
    async with persistent.open(tmp_path) as repository:
        second = await repository.find(replace(query, start=first.next))
    assert [*first.entries, *second.entries] == expected


Last = Callable[[TodoEntry], TodoEntry]


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(lambda entry: entry.complete(at=LATER), id="change"),
        pytest.param(lambda entry: entry.remove(at=LATER), id="removal"),
    ],
)
async def test_revisions_go_on_where_they_ended(
    persistent: Storage, tmp_path: Path, last: Last
) -> None:
    given_out = 0
    for _ in range(3):
        async with persistent.open(tmp_path) as repository:
            assert (await repository.find(TodoQuery())).revision == given_out
            stored = await save(repository, new_entry())
            changed = await save(repository, last(stored))
            assert given_out < stored.revision < changed.revision
            given_out = changed.revision


async def test_no_revision_is_reused_after_everything_was_removed(
    persistent: Storage, tmp_path: Path
) -> None:
    async with persistent.open(tmp_path) as repository:
        for _ in range(3):
            stored = await save_all(repository, *realistic_entries(1_000))
            removed = await save_all(repository, *(entry.remove(at=LATER) for entry in stored))
        assert await entries_of(repository) == []
    last = max(entry.revision for entry in removed)
    async with persistent.open(tmp_path) as repository:
        assert await entries_of(repository) == []
        assert (await repository.find(TodoQuery())).revision == last
        assert (await save(repository, new_entry())).revision > last


async def test_a_stale_change_is_still_stale_after_reopening(
    persistent: Storage, tmp_path: Path
) -> None:
    async with persistent.open(tmp_path) as repository:
        overtaken, gone = await save_all(repository, new_entry(), new_entry())
        current = await save(repository, overtaken.complete(at=LATER))
        await repository.save(gone.remove(at=LATER))
    late = [
        overtaken.add_tag("late", at=LATER),
        gone.add_tag("late", at=LATER),
        replace(overtaken, revision=0),
    ]
    async with persistent.open(tmp_path) as repository:
        for entry in late:
            with pytest.raises(StaleTodoEntry):
                await repository.save(entry)
        assert await entries_of(repository) == [current]
        await repository.save(current.reopen(at=LATER), new_entry(id=gone.id))
