"""What the pickle storage says at its limits: of size, of its life, of its format."""

import logging
from pathlib import Path
from uuid import UUID

import pytest

from myapp.domain.errors import StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database import frames, journal, pickle_todo_entry_repository
from myapp.infrastructure.database.errors import UnsupportedStorage
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
    assert caplog.records[0].getMessage() == (
        "the storage holds more than the 3 entries it is made for: opening it takes longer, and"
        " more memory, with each. `myapp storage copy` carries them to sqlite:///file.db or"
        " postgresql://…, which are made for more"
    )


async def test_a_closed_storage_takes_nothing_more(tmp_path: Path) -> None:
    async with open_pickle_storage(tmp_path) as repository:
        pass
    entry = TodoEntry(id=UUID(int=1), content="x", created_at=BEGINNING, updated_at=BEGINNING)
    with pytest.raises(StorageUnavailable) as caught:
        await repository.save(entry)
    assert str(caught.value) == "The service is shutting down."
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


async def test_a_new_folder_and_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "not there yet" / "todo"
    async with open_pickle_storage(folder) as repository:
        await repository.save(*realistic_entries(1))
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_mode & 0o077 == 0


async def test_a_journal_of_a_newer_format_is_for_the_release_that_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(journal, "VERSION", VERSION + 1)
        later.setattr(frames, "VERSION", VERSION + 1)
        async with open_pickle_storage(tmp_path):
            pass
    with pytest.raises(UnsupportedStorage) as caught:
        async with open_pickle_storage(tmp_path):
            pass
    assert str(caught.value) == (
        f"{tmp_path / 'todo.journal'} has format {VERSION + 1} and this release knows formats"
        f" up to {VERSION}: start the newer release that wrote it."
    )
