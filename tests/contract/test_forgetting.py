"""Every repository: what is forgotten, and all that never is."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import (
    ChangeNotFound,
    HistoryForgotten,
    ReceiptExists,
    StaleTodoEntry,
    TodoEntryNotFound,
)
from myapp.domain.todo_entry_repository import Receipt, TodoEntryRepository, TodoQuery
from myapp.infrastructure.database import journal_writer
from tests.contract.entries import LATER, NOON, entries_of, new_entry, save
from tests.contract.following import follow, follow_entry
from tests.contract.storages import Storage
from tests.saving import save_all

RECEIPT = Receipt(key="8e03978e", digest="a digest", at=NOON)
MOMENT = timedelta(microseconds=1)


async def forget(repository: TodoEntryRepository, *, keep: int) -> None:
    """Forget all but so many changes, whatever receipts tell of."""
    await repository.history.forget(keep=keep, receipts_before=NOON + MOMENT)


async def ten_changes(repository: TodoEntryRepository) -> list[Change]:
    """Store ten changes: of entries that stay, one that is removed, and one restored."""
    stays, goes, returns, old = await repository.save(
        *(new_entry(content) for content in ("stays", "goes", "returns", "old"))
    )
    (edited,) = await repository.save(stays.after.add_tag("new", at=LATER))
    gone, away = await repository.save(
        goes.after.remove(at=LATER), returns.after.remove(at=LATER)
    )
    (returned,) = await repository.save(replace(away.after, removed_at=None))
    done, late = await repository.save(edited.after.complete(at=LATER), new_entry("late"))
    return [stays, goes, returns, old, edited, gone, away, returned, done, late]


every_number = pytest.mark.parametrize("keep", range(12))


@every_number
async def test_the_last_so_many_changes_are_kept_whole(
    repository: TodoEntryRepository, keep: int
) -> None:
    changes = await ten_changes(repository)
    await forget(repository, keep=keep)
    kept = changes[max(0, 10 - keep) :]
    begin = changes[-keep - 1].revision if keep < 10 else 0
    assert await follow(repository.history, begin) == kept
    for change in kept:
        assert await repository.history.change(change.revision) == change


@every_number
async def test_older_changes_are_forgotten(repository: TodoEntryRepository, keep: int) -> None:
    changes = await ten_changes(repository)
    await forget(repository, keep=keep)
    for change in changes[: max(0, 10 - keep)]:
        with pytest.raises(HistoryForgotten) as caught:
            await repository.history.changes(change.revision - 1, limit=10)
        assert caught.value.revision == change.revision - 1
        with pytest.raises(HistoryForgotten):
            await repository.history.change(change.revision)
        with pytest.raises(HistoryForgotten):
            await repository.history.changes_of(
                change.entry_id, since=change.revision - 1, limit=10
            )
        with pytest.raises(HistoryForgotten):
            await repository.history.entry_at(change.entry_id, change.revision - 1)


async def test_what_never_was_is_not_forgotten_either(repository: TodoEntryRepository) -> None:
    await ten_changes(repository)
    for keep in (10, 0):
        await forget(repository, keep=keep)
        with pytest.raises(ChangeNotFound):
            await repository.history.change(0)


async def test_who_comes_too_late_is_told_from_where_to_follow(
    repository: TodoEntryRepository,
) -> None:
    changes = await ten_changes(repository)
    await forget(repository, keep=4)
    with pytest.raises(HistoryForgotten) as caught:
        await repository.history.changes(0, limit=10)
    assert await follow(repository.history, caught.value.begin) == changes[6:]


@every_number
async def test_entries_that_are_there_lose_nothing(
    repository: TodoEntryRepository, keep: int
) -> None:
    await ten_changes(repository)
    query = TodoQuery(counted=True)
    page, tags = await repository.find(query), await repository.tags()
    await forget(repository, keep=keep)
    assert await repository.find(query) == page
    assert await repository.tags() == tags
    assert await repository.history.revision() == page.revision
    for entry in page.entries:
        assert await repository.get(entry.id) == entry
        assert await repository.history.entry_at(entry.id, page.revision) == entry


@every_number
async def test_an_entry_has_as_many_changes_as_are_kept(
    repository: TodoEntryRepository, keep: int
) -> None:
    changes = await ten_changes(repository)
    await forget(repository, keep=keep)
    kept = changes[max(0, 10 - keep) :]
    for entry in await entries_of(repository):
        expected = [change for change in kept if change.entry_id == entry.id]
        assert await follow_entry(repository.history, entry.id, limit=1) == expected


@every_number
async def test_an_entry_is_answered_as_it_was_at_every_revision_that_is_kept(
    repository: TodoEntryRepository, keep: int
) -> None:
    changes = await ten_changes(repository)
    await forget(repository, keep=keep)
    begin = changes[-keep - 1].revision if keep < 10 else 0
    for revision in range(begin, changes[-1].revision + 1):
        for entry_id in {change.entry_id for change in changes}:
            states = [
                change.after
                for change in changes
                if change.entry_id == entry_id and change.revision <= revision
            ]
            if states and not states[-1].removed:
                assert await repository.history.entry_at(entry_id, revision) == states[-1]
            else:
                with pytest.raises(TodoEntryNotFound):
                    await repository.history.entry_at(entry_id, revision)


async def test_a_removed_entry_is_forgotten_with_its_removal(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    removed = await save(repository, stored.remove(at=LATER))
    await save(repository, new_entry())
    await forget(repository, keep=1)
    for since in (None, removed.revision):
        with pytest.raises(TodoEntryNotFound):
            await repository.history.changes_of(stored.id, since=since, limit=10)
    with pytest.raises(StaleTodoEntry):
        await repository.save(replace(removed, removed_at=None))
    (change,) = await repository.save(new_entry("anew", id=stored.id))
    assert (change.kind, change.before) == (ChangeKind.ADDED, None)


async def test_a_removed_entry_whose_removal_is_kept_can_be_restored(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry("gone", tags=("old",)))
    (removal,) = await repository.save(stored.remove(at=LATER))
    await forget(repository, keep=1)
    assert await follow_entry(repository.history, stored.id) == [removal]
    assert await repository.history.entry_at(stored.id, stored.revision) == stored
    (restored,) = await repository.save(removal.undo(at=LATER))
    assert (restored.kind, restored.before) == (ChangeKind.RESTORED, removal.after)
    assert replace(restored.after, revision=0) == replace(stored, revision=0, updated_at=LATER)


async def test_a_restoration_keeps_the_state_that_it_ended_although_its_removal_is_forgotten(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    removed = await save(repository, stored.remove(at=LATER))
    (restored,) = await repository.save(replace(removed, removed_at=None))
    await forget(repository, keep=1)
    assert await follow_entry(repository.history, stored.id) == [restored]
    (undone,) = await repository.save(restored.undo(at=LATER))
    assert (undone.kind, undone.before) == (ChangeKind.REMOVED, restored.after)
    assert await follow_entry(repository.history, stored.id) == [restored, undone]
    await forget(repository, keep=1)
    assert await follow_entry(repository.history, stored.id) == [undone]


@pytest.mark.parametrize("keep", [0, 1, 5])
async def test_an_old_entry_that_is_changed_after_all_was_forgotten_can_be_given_back(
    repository: TodoEntryRepository, keep: int
) -> None:
    old = await save(repository, new_entry("old", notes="long ago", tags=("old",)))
    await save_all(repository, *(new_entry() for _ in range(5)))
    await forget(repository, keep=keep)
    (edited,) = await repository.save(old.change(at=LATER, content="new", tags=()))
    assert edited.before == old
    await forget(repository, keep=1)
    assert await repository.history.change(edited.revision) == edited
    (undone,) = await repository.save(edited.undo(at=LATER))
    assert replace(undone.after, revision=0) == replace(old, revision=0, updated_at=LATER)


async def test_what_is_removed_after_all_was_forgotten_can_be_given_back(
    repository: TodoEntryRepository,
) -> None:
    old = await save(repository, new_entry("old", tags=("old",)))
    await forget(repository, keep=0)
    (removal,) = await repository.save(old.remove(at=LATER))
    assert (removal.kind, removal.before) == (ChangeKind.REMOVED, old)
    await forget(repository, keep=1)
    (restored,) = await repository.save(removal.undo(at=LATER))
    assert await repository.get(old.id) == restored.after
    assert restored.after.tags == ("old",)


async def test_a_younger_receipt_keeps_what_it_tells_of(
    repository: TodoEntryRepository,
) -> None:
    before = await ten_changes(repository)
    changes = await repository.save(
        before[-1].after.complete(at=LATER),
        new_entry(),
        before[7].after.remove(at=LATER),
        receipt=RECEIPT,
    )
    for _ in range(2):
        await repository.history.forget(keep=0, receipts_before=NOON)
        found = await repository.receipt(RECEIPT.key)
        assert found is not None and list(found.changes) == list(changes)
        with pytest.raises(ReceiptExists):
            await repository.save(receipt=RECEIPT)
        await ten_changes(repository)


async def test_receipts_keep_no_changes_from_being_forgotten(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(receipt=replace(RECEIPT, key="of nothing"))
    changes = await repository.save(new_entry(), new_entry(), receipt=RECEIPT)
    later = await ten_changes(repository)
    await repository.history.forget(keep=10, receipts_before=NOON)
    assert await follow(repository.history, changes[-1].revision) == later
    for change in changes:
        with pytest.raises(HistoryForgotten):
            await repository.history.change(change.revision)


async def test_a_receipt_of_a_removal_keeps_no_entry_from_being_forgotten(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    (removal,) = await repository.save(stored.remove(at=LATER), receipt=RECEIPT)
    await repository.history.forget(keep=0, receipts_before=NOON)
    with pytest.raises(TodoEntryNotFound):
        await repository.history.changes_of(stored.id, limit=10)
    (anew,) = await repository.save(new_entry(id=stored.id))
    assert (anew.kind, anew.before) == (ChangeKind.ADDED, None)
    found = await repository.receipt(RECEIPT.key)
    assert found is not None and list(found.changes) == [removal]


async def test_an_old_receipt_is_forgotten(repository: TodoEntryRepository) -> None:
    await repository.save(new_entry(), receipt=RECEIPT)
    await repository.history.forget(keep=100, receipts_before=NOON + MOMENT)
    assert await repository.receipt(RECEIPT.key) is None
    changes = await repository.save(new_entry(), receipt=RECEIPT)
    found = await repository.receipt(RECEIPT.key)
    assert found is not None and list(found.changes) == list(changes)
    assert len(await follow(repository.history, 0)) == 2


async def test_only_receipts_from_before_the_time_are_forgotten(
    repository: TodoEntryRepository,
) -> None:
    times = {"older": NOON - MOMENT, "just as old": NOON, "younger": NOON + MOMENT}
    for key, at in times.items():
        await repository.save(new_entry(), receipt=replace(RECEIPT, key=key, at=at))
    await repository.history.forget(keep=0, receipts_before=NOON)
    assert [key for key in times if await repository.receipt(key)] == ["just as old", "younger"]


async def test_forgetting_again_forgets_no_more(repository: TodoEntryRepository) -> None:
    changes = await ten_changes(repository)
    for keep in (3, 3, 100):
        await forget(repository, keep=keep)
        assert await follow(repository.history, changes[6].revision) == changes[7:]
        with pytest.raises(HistoryForgotten):
            await repository.history.changes(changes[6].revision - 1, limit=10)


async def test_an_empty_history_can_be_forgotten(repository: TodoEntryRepository) -> None:
    for keep in (0, 10):
        await forget(repository, keep=keep)
        assert await follow(repository.history, 0) == []
    stored = await save(repository, new_entry())
    assert stored.revision == 1
    assert len(await follow(repository.history, 0)) == 1


async def test_changes_go_on_where_everything_was_forgotten(
    repository: TodoEntryRepository,
) -> None:
    last = (await ten_changes(repository))[-1].revision
    await forget(repository, keep=0)
    page = await repository.history.changes(last, limit=10)
    assert (list(page.changes), page.next) == ([], last)
    changes = await ten_changes(repository)
    assert changes[0].revision > last
    assert await follow(repository.history, last, limit=3) == changes


async def test_many_changes_are_forgotten_at_once(repository: TodoEntryRepository) -> None:
    drafts = [new_entry(f"{number}") for number in range(5_000)]
    stored = await save_all(repository, *drafts)
    removals = await repository.save(*(entry.remove(at=LATER) for entry in stored[:2_500]))
    await forget(repository, keep=10)
    assert await follow(repository.history, removals[-11].revision) == list(removals[-10:])
    with pytest.raises(HistoryForgotten):
        await repository.history.changes(removals[-11].revision - 1, limit=1)
    assert (await repository.find(TodoQuery(limit=1, counted=True))).total == 2_500


async def test_forgetting_disturbs_nobody_who_stores_or_follows(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    known: list[Change] = []

    async def change_it() -> None:
        entry = stored
        for number in range(60):
            entry = await save(repository, entry.change(at=LATER, content=f"{number}"))

    changing = asyncio.create_task(change_it())
    since = stored.revision
    while not changing.done() or since < await repository.history.revision():
        await forget(repository, keep=100)
        page = await repository.history.changes(since, limit=7)
        known += page.changes
        since = page.next
        await asyncio.sleep(0)
    await changing
    assert [change.after.content for change in known] == [f"{number}" for number in range(60)]
    await forget(repository, keep=1)
    assert await follow(repository.history, known[-2].revision) == known[-1:]
    assert await entries_of(repository) == [known[-1].after]


@pytest.fixture(params=[1_000, -1_000], ids=["as written", "compacted"])
def compact_beyond(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a journal be as it was written, or as short as can be."""
    monkeypatch.setattr(journal_writer, "_COMPACT_BEYOND", request.param)


@pytest.mark.usefixtures("compact_beyond")
async def test_after_reopening_no_less_is_kept_than_asked_for(
    persistent: Storage, tmp_path: Path
) -> None:
    async with persistent.open(tmp_path) as repository:
        told = await repository.save(new_entry("told by a receipt"), receipt=RECEIPT)
        changes = await ten_changes(repository)
        page = await repository.find(TodoQuery())
        await repository.history.forget(keep=3, receipts_before=NOON)
        await repository.save(receipt=replace(RECEIPT, key="the last"))
    for _ in range(3):
        async with persistent.open(tmp_path) as repository:
            assert await repository.find(TodoQuery()) == page
            assert await follow(repository.history, changes[6].revision) == changes[7:]
            found = await repository.receipt(RECEIPT.key)
            assert found is not None and list(found.changes) == list(told)
            await repository.history.forget(keep=3, receipts_before=NOON)
            assert await follow(repository.history, changes[6].revision) == changes[7:]
            with pytest.raises(HistoryForgotten):
                await repository.history.changes(changes[6].revision - 1, limit=10)


@pytest.mark.usefixtures("compact_beyond")
async def test_after_reopening_a_life_that_was_forgotten_does_not_mix_with_the_next(
    persistent: Storage, tmp_path: Path
) -> None:
    async with persistent.open(tmp_path) as repository:
        stored = await save(repository, new_entry("first life"))
        removed = await save(repository, stored.remove(at=LATER))
        await forget(repository, keep=0)
        (anew,) = await repository.save(new_entry("second life", id=stored.id))
        assert (anew.kind, anew.before) == (ChangeKind.ADDED, None)
    async with persistent.open(tmp_path) as repository:
        assert await follow(repository.history, removed.revision) == [anew]
        assert await entries_of(repository) == [anew.after]
        (gone,) = await repository.save(anew.after.remove(at=LATER))
        assert await follow(repository.history, removed.revision) == [anew, gone]
