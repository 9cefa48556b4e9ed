"""Every repository: what became of one entry, what one change did, and what was at a time."""

from dataclasses import replace
from uuid import UUID

import pytest

from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import ChangeNotFound, InvalidValue, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.domain.todo_history import TodoHistory
from tests.contract.entries import LATER, UNKNOWN, new_entry, save
from tests.contract.following import follow, follow_entry
from tests.saving import save_all


async def two_lives(repository: TodoEntryRepository) -> tuple[list[Change], list[Change]]:
    """Let two entries live at the same time, and answer the changes of each."""
    one, two = await repository.save(new_entry("one"), new_entry("two"))
    (completed,) = await repository.save(one.after.complete(at=LATER))
    (tagged,) = await repository.save(two.after.add_tag("new", at=LATER))
    removed, reopened = await repository.save(
        tagged.after.remove(at=LATER), completed.after.reopen(at=LATER)
    )
    (restored,) = await repository.save(replace(removed.after, removed_at=None))
    (gone,) = await repository.save(reopened.after.remove(at=LATER))
    return [one, completed, reopened, gone], [two, tagged, removed, restored]


async def test_the_changes_of_an_entry_are_its_own(repository: TodoEntryRepository) -> None:
    for life in await two_lives(repository):
        changes = await follow_entry(repository.history, life[0].entry_id)
        assert changes == life


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 1_000])
async def test_the_changes_of_an_entry_are_the_same_in_pages_of_any_size(
    repository: TodoEntryRepository, limit: int
) -> None:
    history = repository.history
    for life in await two_lives(repository):
        entry_id = life[0].entry_id
        for since in range(await history.revision() + 1):
            later = [change for change in life if change.revision > since]
            assert await follow_entry(history, entry_id, since, limit=limit) == later
        assert await follow_entry(history, entry_id, limit=limit) == life


async def test_the_changes_of_an_entry_after_its_last_are_none(
    repository: TodoEntryRepository,
) -> None:
    stored, _ = await save_all(repository, new_entry(), new_entry())
    last = await repository.history.revision()
    for since in (stored.revision, last):
        page = await repository.history.changes_of(stored.id, since=since, limit=10)
        assert (list(page.changes), page.next) == ([], last)


async def test_an_entry_that_never_was_has_no_changes(repository: TodoEntryRepository) -> None:
    await save(repository, new_entry())
    for since in (None, 0, 1):
        with pytest.raises(TodoEntryNotFound) as caught:
            await repository.history.changes_of(UNKNOWN, since=since, limit=10)
        assert caught.value.entry_id == UNKNOWN


@pytest.mark.parametrize("beyond", [1, 2**63, 2**70])
async def test_an_entry_has_no_changes_after_a_revision_that_the_store_has_not_reached(
    repository: TodoEntryRepository, beyond: int
) -> None:
    stored = await save(repository, new_entry())
    since = stored.revision + beyond
    for entry_id in (stored.id, UNKNOWN):
        with pytest.raises(InvalidValue) as caught:
            await repository.history.changes_of(entry_id, since=since, limit=10)
        assert caught.value.field == "since"


async def test_a_change_is_found_by_its_revision(repository: TodoEntryRepository) -> None:
    one, two = await two_lives(repository)
    for change in [*one, *two]:
        assert await repository.history.change(change.revision) == change


@pytest.mark.parametrize("beyond", [1, 2, 2**63, 2**70])
async def test_no_change_is_found_by_a_revision_that_the_store_has_not_reached(
    repository: TodoEntryRepository, beyond: int
) -> None:
    revision = (await save(repository, new_entry())).revision + beyond
    with pytest.raises(ChangeNotFound) as caught:
        await repository.history.change(revision)
    assert caught.value.revision == revision


async def test_an_undone_change_leaves_the_state_before_it_and_is_one_itself(
    repository: TodoEntryRepository,
) -> None:
    for life in await two_lives(repository):
        last = await repository.history.change(life[-1].revision)
        (undone,) = await repository.save(last.undo(at=LATER))
        assert undone.before == last.after
        assert undone.kind is {
            ChangeKind.REMOVED: ChangeKind.RESTORED,
            ChangeKind.RESTORED: ChangeKind.REMOVED,
        }.get(last.kind)
        assert await follow_entry(repository.history, undone.entry_id) == [*life, undone]


async def test_an_entry_is_answered_as_it_was_at_every_revision(
    repository: TodoEntryRepository,
) -> None:
    lives = await two_lives(repository)
    history = repository.history
    for life in lives:
        entry_id = life[0].entry_id
        for revision in range(await history.revision() + 1):
            states = [change.after for change in life if change.revision <= revision]
            expected = states[-1] if states and not states[-1].removed else None
            assert await entry_at(history, entry_id, revision) == expected


async def test_an_entry_that_was_not_there_yet_is_not_found(
    repository: TodoEntryRepository,
) -> None:
    before = await save(repository, new_entry())
    stored = await save(repository, new_entry())
    for revision in (0, before.revision):
        with pytest.raises(TodoEntryNotFound) as caught:
            await repository.history.entry_at(stored.id, revision)
        assert caught.value.entry_id == stored.id


async def test_an_entry_that_never_was_is_found_at_no_revision(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    for revision in (0, stored.revision):
        assert await entry_at(repository.history, UNKNOWN, revision) is None


@pytest.mark.parametrize("beyond", [1, 2**63, 2**70])
async def test_what_an_entry_will_be_is_not_known(
    repository: TodoEntryRepository, beyond: int
) -> None:
    stored = await save(repository, new_entry())
    for entry_id in (stored.id, UNKNOWN):
        with pytest.raises(InvalidValue) as caught:
            await repository.history.entry_at(entry_id, stored.revision + beyond)
        assert caught.value.field == "at"


async def test_the_history_of_an_empty_store_is_empty(repository: TodoEntryRepository) -> None:
    history = repository.history
    assert await follow(history, 0) == []
    assert await entry_at(history, UNKNOWN, 0) is None
    with pytest.raises(TodoEntryNotFound):
        await history.changes_of(UNKNOWN, limit=10)
    with pytest.raises(ChangeNotFound):
        await history.change(1)


async def entry_at(history: TodoHistory, entry_id: UUID, revision: int) -> TodoEntry | None:
    """Answer an entry as it was, None if it was not there."""
    try:
        return await history.entry_at(entry_id, revision)
    except TodoEntryNotFound:
        return None
