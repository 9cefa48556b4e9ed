"""Every repository: what saving tells of its changes, and how all of them are followed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import InvalidValue, StaleTodoEntry
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository, TodoQuery
from tests.contract import entries as arbitrary
from tests.contract.entries import LATER, NOON, UNKNOWN, entries_of, new_entry, save
from tests.contract.following import check_page, follow, replayed
from tests.contract.storages import Storage
from tests.saving import save_all


async def a_life(repository: TodoEntryRepository) -> list[Change]:
    """Store a change of every kind, one entry's life, and answer them all."""
    draft = new_entry("buy milk", notes="oat", tags=("shop",), priority=Priority.LOW)
    changes = [*await repository.save(draft)]

    async def go_on(change: Callable[[TodoEntry], TodoEntry]) -> None:
        changes.extend(await repository.save(change(changes[-1].after)))

    await go_on(lambda entry: entry.change(at=LATER, content="buy bread", due=Due(NOON)))
    await go_on(lambda entry: entry.complete(at=LATER))
    await go_on(lambda entry: entry.change(at=LATER, done=False, tags=("home",)))
    await go_on(lambda entry: entry.remove(at=LATER))
    await go_on(lambda entry: replace(entry, removed_at=None, updated_at=LATER))
    return changes


async def test_saving_answers_what_became_of_each_entry(
    repository: TodoEntryRepository,
) -> None:
    one, two, three = await save_all(repository, *(new_entry() for _ in range(3)))
    given = [
        two.remove(at=LATER),
        new_entry("new"),
        one.complete(at=LATER),
        three.change(at=LATER, content="changed"),
    ]
    changes = await repository.save(*given)
    assert [change.before for change in changes] == [two, None, one, three]
    assert [replace(change.after, revision=0) for change in changes] == [
        replace(entry, revision=0) for entry in given
    ]


async def test_changes_are_followed_as_they_were_answered(
    repository: TodoEntryRepository,
) -> None:
    changes = await a_life(repository)
    assert [change.kind for change in changes] == [
        ChangeKind.ADDED,
        ChangeKind.EDITED,
        ChangeKind.COMPLETED,
        ChangeKind.REOPENED,
        ChangeKind.REMOVED,
        ChangeKind.RESTORED,
    ]
    assert [change.at for change in changes] == [NOON] + [LATER] * 5
    assert await follow(repository.history, 0) == changes


async def test_each_change_begins_with_the_state_that_the_one_before_ended_with(
    repository: TodoEntryRepository,
) -> None:
    changes = await a_life(repository)
    followed = await follow(repository.history, 0)
    assert [change.before for change in followed] == [
        None,
        *(change.after for change in changes[:-1]),
    ]


async def test_changes_of_several_entries_in_one_save_follow_each_other_immediately(
    repository: TodoEntryRepository,
) -> None:
    one, two = await save_all(repository, new_entry(), new_entry())
    changes = await repository.save(
        two.complete(at=LATER), new_entry(), one.remove(at=LATER), new_entry()
    )
    first = changes[0].revision
    assert [change.revision for change in changes] == list(range(first, first + 4))
    assert await follow(repository.history, two.revision) == list(changes)


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 1_000])
async def test_changes_are_the_same_in_pages_of_any_size(
    repository: TodoEntryRepository, limit: int
) -> None:
    changes = await a_life(repository)
    for number, change in enumerate(changes, start=1):
        assert await follow(repository.history, change.revision, limit=limit) == (
            changes[number:]
        )
    assert await follow(repository.history, 0, limit=limit) == changes


async def test_a_page_has_as_many_changes_as_there_may_be(
    repository: TodoEntryRepository,
) -> None:
    changes = await a_life(repository)
    page = await repository.history.changes(0, limit=4)
    assert list(page.changes) == changes[:4]
    assert page.next == changes[3].revision
    page = await repository.history.changes(page.next, limit=4)
    assert list(page.changes) == changes[4:]
    assert page.next == changes[-1].revision


async def test_an_empty_store_has_no_changes(repository: TodoEntryRepository) -> None:
    assert await repository.history.revision() == 0
    page = await repository.history.changes(0, limit=10)
    assert (list(page.changes), page.next) == ([], 0)


async def test_after_the_last_change_there_is_none(repository: TodoEntryRepository) -> None:
    changes = await a_life(repository)
    last = changes[-1].revision
    page = await repository.history.changes(last, limit=10)
    assert (list(page.changes), page.next) == ([], last)


async def test_the_last_revision_is_that_of_the_last_change(
    repository: TodoEntryRepository,
) -> None:
    for _ in range(3):
        changes = await a_life(repository)
        assert await repository.history.revision() == changes[-1].revision
        assert (await repository.find(TodoQuery())).revision == changes[-1].revision


@pytest.mark.parametrize("beyond", [1, 2, 2**63, 2**70])
async def test_a_revision_that_the_store_has_not_reached_cannot_be_followed_from(
    repository: TodoEntryRepository, beyond: int
) -> None:
    last = (await a_life(repository))[-1].revision
    with pytest.raises(InvalidValue) as caught:
        await repository.history.changes(last + beyond, limit=10)
    assert caught.value.field == "since"


async def test_a_save_that_is_refused_makes_no_change(repository: TodoEntryRepository) -> None:
    stored = await save(repository, new_entry())
    for stale in (replace(stored, revision=0), replace(stored, revision=7)):
        with pytest.raises(StaleTodoEntry):
            await repository.save(new_entry(), stale)
    page = await repository.history.changes(stored.revision, limit=10)
    assert list(page.changes) == []
    (change,) = await repository.save(stored.complete(at=LATER))
    assert await follow(repository.history, stored.revision) == [change]
    assert await follow(repository.history, page.next) == [change]


async def test_saving_nothing_makes_no_change(repository: TodoEntryRepository) -> None:
    stored = await save(repository, new_entry())
    assert list(await repository.save()) == []
    assert await repository.history.revision() == stored.revision


Restore = Callable[[TodoEntry], TodoEntry]


@pytest.mark.parametrize(
    "restore",
    [
        pytest.param(lambda gone: replace(gone, removed_at=None), id="based on its removal"),
        pytest.param(lambda gone: new_entry("anew", id=gone.id), id="as if it were new"),
    ],
)
async def test_what_was_removed_can_be_restored(
    repository: TodoEntryRepository, restore: Restore
) -> None:
    stored = await save(repository, new_entry())
    removed = await save(repository, stored.remove(at=LATER))
    (change,) = await repository.save(restore(removed))
    assert (change.kind, change.before) == (ChangeKind.RESTORED, removed)
    assert await repository.get(stored.id) == change.after
    assert await entries_of(repository) == [change.after]
    assert (await follow(repository.history, removed.revision)) == [change]


async def test_a_removal_that_was_overtaken_can_be_based_on_no_more(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    removed = await save(repository, stored.remove(at=LATER))
    restored = await save(repository, replace(removed, removed_at=None))
    for late in (replace(removed, removed_at=None), replace(removed, revision=0)):
        with pytest.raises(StaleTodoEntry):
            await repository.save(late)
    assert await entries_of(repository) == [restored]


async def test_an_entry_lives_any_number_of_times(repository: TodoEntryRepository) -> None:
    state, expected = await save(repository, new_entry()), [ChangeKind.ADDED]
    for _ in range(5):
        state = await save(repository, state.remove(at=LATER))
        state = await save(repository, new_entry(id=state.id))
        expected += [ChangeKind.REMOVED, ChangeKind.RESTORED]
    followed = await follow(repository.history, 0)
    assert [change.kind for change in followed] == expected
    assert await entries_of(repository) == [state]


@given(
    first=st.lists(arbitrary.entries, max_size=3, unique_by=lambda entry: entry.id),
    second=st.lists(arbitrary.entries, min_size=3, max_size=3),
    at=arbitrary.moments,
)
@settings(max_examples=20)
async def test_every_field_is_kept_before_and_after_each_change(
    persistent: Storage, first: Sequence[TodoEntry], second: Sequence[TodoEntry], at: datetime
) -> None:
    with TemporaryDirectory() as folder:
        async with persistent.open(Path(folder)) as repository:
            added = await repository.save(*first)
            edited = await repository.save(
                *(
                    replace(draft, id=change.entry_id, revision=change.revision)
                    for change, draft in zip(added, second)
                )
            )
            removed = await repository.save(*(change.after.remove(at=at) for change in edited))
            changes = [*added, *edited, *removed]
            assert [change.before for change in edited] == [change.after for change in added]
            assert [change.before for change in removed] == [change.after for change in edited]
            assert await follow(repository.history, 0) == changes
        async with persistent.open(Path(folder)) as repository:
            assert await follow(repository.history, 0) == changes


async def test_concurrent_saves_are_all_followed_in_the_order_of_their_revisions(
    repository: TodoEntryRepository,
) -> None:
    drafts = [[new_entry(f"{number}-{part}") for part in range(3)] for number in range(40)]
    known, since = list[Change](), 0
    saving = asyncio.gather(*(repository.save(*some) for some in drafts))
    async with asyncio.timeout(60):
        while not saving.done() or since < await repository.history.revision():
            page = await repository.history.changes(since, limit=7)
            check_page(page, since, 7)
            known += page.changes
            since = page.next
            await asyncio.sleep(0)
    answered = [change for changes in await saving for change in changes]
    assert known == sorted(answered, key=lambda change: change.revision)
    assert replayed({}, known) == {entry.id: entry for entry in await entries_of(repository)}


async def test_what_is_heard_of_can_be_read_at_once(repository: TodoEntryRepository) -> None:
    stored = await save(repository, new_entry())
    for number in range(20):
        saving = asyncio.create_task(
            save(repository, stored.change(at=LATER, content=f"{number}"))
        )
        async with asyncio.timeout(30):
            while await repository.history.revision() == stored.revision:
                await asyncio.sleep(0)
        (change,) = await follow(repository.history, stored.revision)
        assert await repository.get(stored.id) == change.after
        stored = await saving


async def test_a_large_save_is_followed_page_by_page(repository: TodoEntryRepository) -> None:
    changes = await repository.save(*(new_entry(f"{number}") for number in range(2_500)))
    assert await follow(repository.history, 0, limit=1_000) == list(changes)


async def test_the_last_states_of_entries_are_answered_together(
    repository: TodoEntryRepository,
) -> None:
    one, two, gone = await save_all(repository, *(new_entry() for _ in range(3)))
    changed = await save(repository, one.add_tag("new", at=LATER))
    removed = await save(repository, gone.remove(at=LATER))
    found = await repository.last_states([one.id, UNKNOWN, gone.id, two.id])
    assert dict(found) == {one.id: changed, two.id: two, gone.id: removed}
    assert dict(await repository.last_states({two.id})) == {two.id: two}
    assert dict(await repository.last_states([])) == {}


async def test_an_entry_asked_for_twice_is_answered_once(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    assert dict(await repository.last_states([stored.id] * 3)) == {stored.id: stored}


async def test_any_number_of_entries_can_be_asked_for(repository: TodoEntryRepository) -> None:
    stored = await save_all(repository, *(new_entry() for _ in range(3)))
    others = (UUID(int=2**100 + number) for number in range(11_000))
    found = await repository.last_states([*others, *(entry.id for entry in stored)])
    assert dict(found) == {entry.id: entry for entry in stored}


async def test_entries_answered_together_stood_so_at_one_moment(
    repository: TodoEntryRepository,
) -> None:
    one, two = await save_all(repository, new_entry("0"), new_entry("0"))

    async def change_both() -> None:
        pair = [one, two]
        for number in range(1, 30):
            pair = await save_all(
                repository,
                *(entry.change(at=LATER, content=f"{number}") for entry in pair),
            )

    changing = asyncio.create_task(change_both())
    while not changing.done():
        found = await repository.last_states([one.id, two.id])
        assert found[one.id].content == found[two.id].content
        await asyncio.sleep(0)
    await changing
