"""Every repository: what saving keeps, what it refuses, and the revisions it gives out."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from myapp.domain.errors import StaleTodoEntry, TodoEntryNotFound
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import TagUse, TodoEntryRepository, TodoQuery
from tests.contract.entries import (
    LATER,
    NOON,
    UNKNOWN,
    contents_of,
    entries_of,
    new_entry,
    save,
)
from tests.saving import save_all


async def test_a_stored_entry_is_answered_as_it_was_but_for_its_revision(
    repository: TodoEntryRepository,
) -> None:
    entry = new_entry(
        "call the dentist",
        notes="before noon\nabout Tuesday",
        tags=("health", "phone"),
        priority=Priority.HIGH,
        due=Due(date(2026, 12, 24)),
        done=True,
    )
    stored = await save(repository, entry)
    assert stored == replace(entry, revision=stored.revision)
    assert stored.revision > 0
    assert await repository.get(entry.id) == stored


async def test_an_id_that_was_never_stored_is_not_found(
    repository: TodoEntryRepository,
) -> None:
    await save(repository, new_entry())
    with pytest.raises(TodoEntryNotFound) as caught:
        await repository.get(UNKNOWN)
    assert caught.value.entry_id == UNKNOWN


async def test_a_change_takes_the_place_of_what_was_stored(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry(tags=("shop",), due=Due(NOON)))
    changed = stored.change(
        at=LATER,
        content="buy rye bread",
        notes="sliced",
        tags=("bakery",),
        priority=Priority.LOW,
        due=None,
        done=True,
    )
    answered = await save(repository, changed)
    assert answered == replace(changed, revision=answered.revision)
    assert answered.revision > stored.revision
    assert await repository.get(stored.id) == answered
    assert await entries_of(repository) == [answered]


async def test_a_removed_entry_is_seen_by_no_reader(repository: TodoEntryRepository) -> None:
    kept, stored = await save_all(repository, new_entry(), new_entry(tags=("gone",)))
    removed = stored.remove(at=LATER)
    answered = await save(repository, removed)
    assert answered == replace(removed, revision=answered.revision)
    assert answered.revision > stored.revision
    with pytest.raises(TodoEntryNotFound):
        await repository.get(stored.id)
    assert await entries_of(repository) == [kept]
    assert await repository.tags() == []


async def test_new_changed_and_removed_entries_are_stored_together(
    repository: TodoEntryRepository,
) -> None:
    to_change, to_remove = await save_all(repository, new_entry("old"), new_entry("gone"))
    added = new_entry("added")
    answered = await save_all(
        repository,
        to_remove.remove(at=LATER),
        added,
        to_change.change(at=LATER, content="changed"),
    )
    assert [entry.id for entry in answered] == [to_remove.id, added.id, to_change.id]
    assert sorted(await contents_of(repository)) == ["added", "changed"]


async def test_saving_nothing_changes_nothing(repository: TodoEntryRepository) -> None:
    await save(repository, new_entry())
    before = await repository.find(TodoQuery())
    assert list(await repository.save()) == []
    assert await repository.find(TodoQuery()) == before


async def test_a_healthy_repository_can_be_saved_to(repository: TodoEntryRepository) -> None:
    await repository.check()
    await save(repository, new_entry())
    await repository.check()


async def test_a_removed_id_can_be_stored_anew(repository: TodoEntryRepository) -> None:
    first = await save(repository, new_entry("first life"))
    removed = await save(repository, first.remove(at=LATER))
    second = await save(repository, new_entry("second life", id=first.id))
    assert second.revision > removed.revision
    assert await repository.get(first.id) == second
    with pytest.raises(StaleTodoEntry):
        await repository.save(first.complete(at=LATER))


async def test_every_entry_takes_a_revision_of_its_own_and_they_only_grow(
    repository: TodoEntryRepository,
) -> None:
    one, two = await save_all(repository, new_entry(), new_entry())
    three = await save(repository, one.complete(at=LATER))
    four, five = await save_all(repository, two.remove(at=LATER), new_entry())
    six = await save(repository, three.remove(at=LATER))
    seven = await save(repository, new_entry())
    revisions = [entry.revision for entry in (one, two, three, four, five, six, seven)]
    assert revisions == sorted(set(revisions))


async def test_a_page_carries_the_last_revision_given_out(
    repository: TodoEntryRepository,
) -> None:
    seen = [(await repository.find(TodoQuery())).revision]
    one, two = await save_all(repository, new_entry(), new_entry())
    seen.append((await repository.find(TodoQuery(limit=1))).revision)
    assert seen[-1] == two.revision
    changed = await save(repository, one.complete(at=LATER))
    seen.append((await repository.find(TodoQuery(search="nothing has this"))).revision)
    assert seen[-1] == changed.revision
    removed = await save(repository, changed.remove(at=LATER))
    seen.append((await repository.find(TodoQuery())).revision)
    assert seen[-1] == removed.revision
    assert seen == sorted(set(seen))


Forge = Callable[[TodoEntry], TodoEntry]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda stored: replace(stored, revision=0), id="none"),
        pytest.param(lambda stored: replace(stored, revision=stored.revision - 1), id="older"),
        pytest.param(lambda stored: replace(stored, revision=stored.revision + 1), id="newer"),
        pytest.param(lambda stored: new_entry(id=UNKNOWN, at=NOON), id="none, as if new"),
        pytest.param(
            lambda stored: replace(stored, revision=0).remove(at=LATER), id="none, to remove"
        ),
    ],
)
async def test_an_entry_that_is_there_is_only_changed_from_its_own_revision(
    repository: TodoEntryRepository, forge: Forge
) -> None:
    await repository.save(new_entry("before"), new_entry("and before"))
    stored = await save(repository, new_entry(id=UNKNOWN))
    with pytest.raises(StaleTodoEntry) as caught:
        await repository.save(forge(stored))
    assert list(caught.value.entry_ids) == [stored.id]
    assert await repository.get(stored.id) == stored


async def test_an_overtaken_change_is_stale(repository: TodoEntryRepository) -> None:
    stored = await save(repository, new_entry())
    won = await save(repository, stored.add_tag("won", at=LATER))
    for late in (stored.add_tag("lost", at=LATER), stored.remove(at=LATER)):
        with pytest.raises(StaleTodoEntry):
            await repository.save(late)
    assert await repository.get(stored.id) == won


async def test_a_change_of_an_entry_that_is_gone_is_stale(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    await repository.save(stored.remove(at=LATER))
    never_stored = replace(new_entry(), revision=stored.revision)
    for late in (stored.complete(at=LATER), stored.remove(at=LATER), never_stored):
        with pytest.raises(StaleTodoEntry) as caught:
            await repository.save(late)
        assert list(caught.value.entry_ids) == [late.id]
    assert await entries_of(repository) == []


async def test_one_stale_entry_keeps_all_that_are_saved_with_it_from_being_stored(
    repository: TodoEntryRepository,
) -> None:
    to_change, to_remove, overtaken = await save_all(
        repository,
        new_entry("one", tags=("a",)),
        new_entry("two", tags=("b",)),
        new_entry("three"),
    )
    await save(repository, overtaken.complete(at=LATER))
    page, tags = await repository.find(TodoQuery()), await repository.tags()
    added = new_entry("four", tags=("c",))
    valid = [added, to_change.add_tag("d", at=LATER), to_remove.remove(at=LATER)]
    stale = overtaken.add_tag("e", at=LATER)
    for together in ([stale, *valid], [*valid, stale]):
        with pytest.raises(StaleTodoEntry) as caught:
            await repository.save(*together)
        assert list(caught.value.entry_ids) == [overtaken.id]
    assert await repository.find(TodoQuery()) == page
    assert await repository.tags() == tags
    with pytest.raises(TodoEntryNotFound):
        await repository.get(added.id)
    stored = await save_all(repository, *valid)
    assert min(entry.revision for entry in stored) > page.revision


async def test_all_stale_entries_of_a_save_are_named(repository: TodoEntryRepository) -> None:
    one, fine, two = await save_all(repository, new_entry(), new_entry(), new_entry())
    stale = [replace(one, revision=0), fine.complete(at=LATER), two.complete(at=LATER)]
    await save(repository, two.add_tag("first", at=LATER))
    with pytest.raises(StaleTodoEntry) as caught:
        await repository.save(*stale)
    assert set(caught.value.entry_ids) == {one.id, two.id}


Together = Callable[[TodoEntry], Sequence[TodoEntry]]


@pytest.mark.parametrize(
    "together",
    [
        pytest.param(
            lambda stored: [new_entry("a", id=UNKNOWN), new_entry("b", id=UNKNOWN)],
            id="created twice",
        ),
        pytest.param(
            lambda stored: [stored.complete(at=LATER), stored.add_tag("b", at=LATER)],
            id="changed twice",
        ),
        pytest.param(
            lambda stored: [stored.remove(at=LATER), stored.remove(at=LATER)],
            id="removed twice",
        ),
        pytest.param(
            lambda stored: [stored.remove(at=LATER), new_entry("b", id=stored.id)],
            id="removed and created",
        ),
    ],
)
async def test_the_same_id_twice_in_a_save_is_stale(
    repository: TodoEntryRepository, together: Together
) -> None:
    stored = await save(repository, new_entry())
    with pytest.raises(StaleTodoEntry):
        await repository.save(*together(stored))
    assert await entries_of(repository) == [stored]


async def test_concurrent_saves_all_land_under_revisions_of_their_own(
    repository: TodoEntryRepository,
) -> None:
    batches = [[new_entry(f"{number}-{part}") for part in range(3)] for number in range(50)]
    answers = await asyncio.gather(*(save_all(repository, *batch) for batch in batches))
    stored = [entry for answer in answers for entry in answer]
    given = [entry for batch in batches for entry in batch]
    assert [entry.id for entry in stored] == [entry.id for entry in given]
    assert len({entry.revision for entry in stored}) == 150
    assert {entry.id: entry for entry in await entries_of(repository)} == {
        entry.id: entry for entry in stored
    }
    page = await repository.find(TodoQuery())
    assert page.revision == max(entry.revision for entry in stored)


async def test_a_save_may_be_large_and_is_still_one(repository: TodoEntryRepository) -> None:
    known = await save(repository, new_entry())
    many = [new_entry(f"{number}", tags=("many",)) for number in range(11_000)]
    with pytest.raises(StaleTodoEntry) as caught:
        await repository.save(*many, replace(known, revision=0))
    assert list(caught.value.entry_ids) == [known.id]
    assert await entries_of(repository) == [known]
    stored = await save_all(repository, *many, known.remove(at=LATER))
    assert await repository.tags() == [TagUse("many", 11_000, 11_000)]
    assert (await repository.find(TodoQuery())).revision == stored[-1].revision
    assert len({entry.revision for entry in stored}) == 11_001


async def test_of_concurrent_changes_from_the_same_revision_one_wins(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    changes = [stored.add_tag(f"tag-{number}", at=LATER) for number in range(20)]
    saves = (save(repository, change) for change in changes)
    answers = await asyncio.gather(*saves, return_exceptions=True)
    (winner,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert sum(isinstance(answer, StaleTodoEntry) for answer in answers) == 19
    assert await repository.get(stored.id) == winner


async def test_of_concurrent_creations_under_the_same_id_one_wins(
    repository: TodoEntryRepository,
) -> None:
    drafts = [new_entry(f"draft {number}", id=UNKNOWN) for number in range(20)]
    saves = (save(repository, draft) for draft in drafts)
    answers = await asyncio.gather(*saves, return_exceptions=True)
    (winner,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert sum(isinstance(answer, StaleTodoEntry) for answer in answers) == 19
    assert await entries_of(repository) == [winner]


async def test_what_a_reader_sees_can_be_changed_at_once(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    for number in range(20):
        saving = asyncio.create_task(
            save(repository, stored.change(at=LATER, content=f"{number}"))
        )
        async with asyncio.timeout(30):
            while (seen := await repository.get(stored.id)) == stored:
                await asyncio.sleep(0)
        stored = await save(repository, seen.change(at=LATER, content=f"{number}, seen"))
        assert await saving == seen


async def test_a_save_that_nobody_waits_for_any_more_is_still_whole(
    repository: TodoEntryRepository,
) -> None:
    one, two = await save_all(repository, new_entry(), new_entry())
    saving = asyncio.create_task(
        repository.save(one.add_tag("given-up", at=LATER), two.add_tag("given-up", at=LATER))
    )
    await asyncio.sleep(0)
    saving.cancel()
    await asyncio.wait([saving])
    async with asyncio.timeout(30):
        after = await _complete_whatever_is_stored(repository, one.id)
    assert [entry.tags for entry in await entries_of(repository)] == [after.tags] * 2


async def test_who_gives_up_waiting_takes_nobody_along(
    repository: TodoEntryRepository,
) -> None:
    one, two = new_entry("one"), new_entry("two")
    given_up, saving = (asyncio.create_task(save(repository, entry)) for entry in (one, two))
    await asyncio.sleep(0)
    given_up.cancel()
    async with asyncio.timeout(30):
        assert (await saving).content == "two"
        assert (await save(repository, new_entry("three"))).content == "three"
    assert (await repository.get(one.id)).content == "one"


async def _complete_whatever_is_stored(
    repository: TodoEntryRepository, entry_id: UUID
) -> TodoEntry:
    """Change an entry that another save may still be about to change."""
    while True:
        try:
            return await save(repository, (await repository.get(entry_id)).complete(at=LATER))
        except StaleTodoEntry:
            await asyncio.sleep(0.001)
