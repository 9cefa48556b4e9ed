"""What the pickle storage says at its limits: of size, of its life, of its format."""

import logging
from pathlib import Path
from uuid import UUID

import pytest

from myapp.domain.errors import StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database import journal, pickle_todo_entry_repository
from myapp.infrastructure.database.frames import VERSION
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage
from tests.realistic_entries import BEGINNING, realistic_entries
from tests.saving import save_all


async def test_more_entries_than_it_is_made_for_are_warned_about_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pickle_todo_entry_repository, "MADE_FOR", 3)
    caplog.set_level(logging.WARNING)
    async with open_pickle_storage(tmp_path) as repository:
        for number, entry in enumerate(realistic_entries(6), start=1):
            await repository.save(entry)
            assert len(caplog.records) == (number > 3)
    assert "more than the 3 entries" in caplog.text


async def test_a_closed_storage_takes_nothing_more(tmp_path: Path) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        pass
    entry = TodoEntry(id=UUID(int=1), content="x", created_at=BEGINNING, updated_at=BEGINNING)
    with pytest.raises(StorageUnavailable):
        await repository.save(entry)
    with pytest.raises(StorageUnavailable):
        await repository.check()


async def test_a_journal_of_an_older_format_is_written_anew_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        stored = await save_all(repository, *realistic_entries(3))
    path = tmp_path / "todo.journal"
    former = path.stat().st_ino

    monkeypatch.setattr(journal, "VERSION", VERSION + 1)  # as a later release has it
    async with open_pickle_storage(tmp_path) as repository:
        found = (await repository.find(TodoQuery())).entries

    assert path.stat().st_ino != former
    assert sorted(found, key=lambda entry: entry.revision) == list(stored)
