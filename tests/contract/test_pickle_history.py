"""The history of a pickle storage when it is cut short, compacted and opened again."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import HistoryForgotten
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt, TodoEntryRepository
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage
from tests.contract.entries import LATER, NOON, new_entry, save
from tests.saving import save_all


async def edit(repository: TodoEntryRepository, entry: TodoEntry, times: int) -> TodoEntry:
    """Change the entry so often, and answer it."""
    for number in range(times):
        entry = await save(repository, entry.change(at=LATER, content=f"{number}"))
    return entry


async def changes_after(repository: TodoEntryRepository, revision: int) -> Sequence[Change]:
    """Answer all changes after a revision."""
    return (await repository.history.changes(revision, limit=10_000)).changes


async def test_what_waits_while_changes_are_forgotten_does_not_bring_them_back(
    tmp_path: Path,
) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        entry = await edit(repository, await save(repository, new_entry()), 2_000)
        before = repository.history.forget(keep=10, receipts_before=NOON)
        written = asyncio.create_task(repository.save(entry.complete(at=LATER)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.create_task(repository.save(new_entry()))
        await asyncio.sleep(0)
        await before
        await asyncio.gather(written, waiting)  # the first of them compacts the journal
        kept = await changes_after(repository, 1_991)
        with pytest.raises(HistoryForgotten):
            await repository.history.changes(1_990, limit=1)
    async with open_pickle_storage(tmp_path) as repository:
        with pytest.raises(HistoryForgotten):
            await repository.history.changes(1_990, limit=1)
        assert await changes_after(repository, 1_991) == kept


@pytest.mark.parametrize("others", [10, 1_500])
async def test_a_restored_entry_is_known_as_restored_after_a_compaction(
    tmp_path: Path, others: int
) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        busy = await edit(repository, await save(repository, new_entry()), 5_000)
        entry = await save(repository, new_entry())
        removed = await save(repository, entry.remove(at=LATER))
        await save_all(repository, *(new_entry() for _ in range(others)))
        (restored,) = await repository.save(new_entry("again", id=entry.id))
        await repository.history.forget(keep=1, receipts_before=NOON)
        await edit(repository, busy, 1)  # after which the journal is compacted
    async with open_pickle_storage(tmp_path) as repository:
        found = await repository.history.change(restored.revision)
        assert (found, found.kind) == (restored, ChangeKind.RESTORED)
        assert found.before == removed


async def test_what_is_forgotten_stays_so_once_something_is_stored_after_it(
    tmp_path: Path,
) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        entry = await edit(repository, await save(repository, new_entry()), 5)
        await repository.history.forget(keep=2, receipts_before=NOON)
        await edit(repository, entry, 1)
        kept = await changes_after(repository, 4)
    async with open_pickle_storage(tmp_path) as repository:
        assert await changes_after(repository, 4) == kept
        with pytest.raises(HistoryForgotten):
            await repository.history.changes(3, limit=1)


async def test_as_much_of_a_journal_is_of_no_use_after_reopening_as_before(
    tmp_path: Path,
) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        entry = await edit(repository, await save(repository, new_entry()), 20)
        for key in ("8e03978e", "a7d5b1c2", "5b1c2a7d"):
            await repository.save(receipt=Receipt(key=key, digest="a digest", at=NOON))
        await repository.history.forget(keep=2, receipts_before=NOON)
        await edit(repository, entry, 1)
        dead = repository.use().dead
    assert dead
    async with open_pickle_storage(tmp_path) as repository:
        assert repository.use().dead == dead
