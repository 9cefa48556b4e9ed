"""Journals of every version that was ever written open to what they held."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import HistoryForgotten, ReceiptExists, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import PAGE_MOST, Receipt
from myapp.infrastructure.database.frames import VERSION, format_version
from myapp.infrastructure.database.pickle_salvage import read, salvage
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from tests.faults.journals import version_1, version_2, version_3
from tests.faults.short_ways import MOMENT, all_entries, check_history, opened, todo
from tests.saving import save_all


@dataclass(frozen=True, slots=True)
class _Held:
    """What a journal held when it was written."""

    version: int
    folder: Path
    entries: Sequence[TodoEntry]
    revision: int
    begin: int
    changes: Sequence[Change] = ()
    receipts: Sequence[Receipt] = ()


_JOURNALS = [
    _Held(
        1,
        version_1.FOLDER,
        version_1.ENTRIES,
        version_1.REVISION,
        begin=version_1.REVISION,  # that version kept no history
    ),
    _Held(
        2,
        version_2.FOLDER,
        version_2.ENTRIES,
        version_2.REVISION,
        version_2.BEGIN,
        version_2.CHANGES,
        version_2.RECEIPTS,
    ),
    _Held(
        3,
        version_3.FOLDER,
        version_3.ENTRIES,
        version_3.REVISION,
        version_3.BEGIN,
        version_3.CHANGES,
        version_3.RECEIPTS,
    ),
]


@pytest.fixture(params=_JOURNALS, ids=lambda held: f"version {held.version}")
def held(request: pytest.FixtureRequest, tmp_path: Path) -> _Held:
    """What each journal held, with the folder of a copy of it."""
    journal: _Held = request.param
    return replace(journal, folder=shutil.copytree(journal.folder, tmp_path / "copy"))


def test_there_is_a_journal_of_every_version() -> None:
    versions = []
    for journal in _JOURNALS:
        path = journal.folder / JOURNAL
        versions.append(format_version(path.read_bytes(), path))
    assert versions == [journal.version for journal in _JOURNALS] == [*range(1, VERSION + 1)]


async def test_all_entries_are_there(held: _Held) -> None:
    for _ in range(2):
        async with opened(held.folder) as repository:
            assert await all_entries(repository) == {entry.id: entry for entry in held.entries}
            assert await repository.history.revision() == held.revision


async def test_revisions_go_on_after_the_last_one(held: _Held) -> None:
    async with opened(held.folder) as repository:
        (later,) = await save_all(repository, todo(1))
        assert later.revision == held.revision + 1


async def test_all_changes_that_were_kept_are_there(held: _Held) -> None:
    for _ in range(2):
        async with opened(held.folder) as repository:
            page = await repository.history.changes(held.begin, limit=PAGE_MOST)
            assert (list(page.changes), page.next) == (list(held.changes), held.revision)
            with pytest.raises(HistoryForgotten) as caught:
                await repository.history.changes(held.begin - 1, limit=PAGE_MOST)
            assert caught.value.begin == held.begin
            await check_history(repository)


async def test_entries_are_as_they_were_when_the_history_began(held: _Held) -> None:
    before = {entry.id: entry for entry in held.entries}
    for change in reversed(held.changes):
        if change.before is None or change.before.removed:
            before.pop(change.entry_id, None)
        else:
            before[change.entry_id] = change.before
    async with opened(held.folder) as repository:
        for entry_id, state in before.items():
            assert await repository.history.entry_at(entry_id, held.begin) == state
        for entry in held.entries:
            if entry.id not in before:
                with pytest.raises(TodoEntryNotFound):
                    await repository.history.entry_at(entry.id, held.begin)


async def test_all_receipts_are_there(held: _Held) -> None:
    async with opened(held.folder) as repository:
        for receipt in held.receipts:
            found = await repository.receipt(receipt.key)
            assert found is not None
            assert replace(found, changes=tuple(found.changes)) == receipt
            with pytest.raises(ReceiptExists):
                await repository.save(receipt=receipt)


async def test_what_was_there_can_be_changed_and_given_back(held: _Held) -> None:
    first = held.entries[0]
    async with opened(held.folder) as repository:
        (removal,) = await repository.save(first.remove(at=MOMENT))
        assert (removal.kind, removal.before) == (ChangeKind.REMOVED, first)
    async with opened(held.folder) as repository:
        kept = await repository.history.change(removal.revision)
        assert kept == removal
        (undone,) = await repository.save(kept.undo(at=MOMENT))
        assert undone.kind is ChangeKind.RESTORED
    async with opened(held.folder) as repository:
        assert (await all_entries(repository))[first.id] == undone.after
        changes = await repository.history.changes(held.revision, limit=PAGE_MOST)
        assert list(changes.changes) == [removal, undone]


async def test_it_can_be_checked_without_being_opened(held: _Held) -> None:
    before = (held.folder / JOURNAL).read_bytes()
    index, _ = read(held.folder / JOURNAL)
    assert (len(index), index.revision) == (len(held.entries), held.revision)
    assert (held.folder / JOURNAL).read_bytes() == before


async def test_all_entries_are_salvaged(held: _Held) -> None:
    salvage(held.folder)
    async with opened(held.folder) as repository:
        assert await all_entries(repository) == {entry.id: entry for entry in held.entries}
