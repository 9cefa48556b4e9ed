"""The folder of a storage goes away under a running service, which says so and goes on later.

What is written to a file that was moved or removed is lost, though the system takes it.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myapp.domain.errors import StorageUnavailable
from myapp.infrastructure.database import journal_writer, pickle_salvage
from myapp.infrastructure.database.errors import StorageInUse
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    PickleTodoEntryRepository,
)
from myapp.infrastructure.database.storage import open_storage, pickle_url
from tests.faults.file_storages import FILE_STORAGES
from tests.faults.server_process import (
    ask,
    assert_problem,
    create,
    create_in_the_end,
    entries,
    serving,
    stored,
    told,
    wait_until_not_ready,
)
from tests.faults.short_ways import all_entries, check_history, entries_in, opened, todo
from tests.faults.small_disk import small_disk_at
from tests.saving import save_all


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the storage, empty."""
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


@pytest.fixture(params=FILE_STORAGES)
def url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a storage in the folder."""
    return FILE_STORAGES[request.param].url(folder)


async def test_nothing_is_acknowledged_while_the_folder_is_gone_and_it_goes_on_once_it_is_back(
    folder: Path, url: str
) -> None:
    with serving(folder, url) as (server, connection):
        kept = [told(create(connection, "before"))]
        elsewhere = folder.rename(folder.with_name("elsewhere"))
        for _ in range(12):  # more than there are connections to a database
            assert_problem(create(connection, "lost"), 503, "storage-unavailable")
        wait_until_not_ready(connection)
        assert f"No such file or directory: '{folder}/todo" in server.log()
        assert entries(connection) == kept
        assert not folder.exists()

        elsewhere.rename(folder)
        kept.append(told(create_in_the_end(connection, "after")))
        assert entries(connection) == kept
    assert await stored(url) == kept


async def test_a_storage_that_another_process_has_begun_in_its_place_is_left_alone(
    folder: Path, url: str
) -> None:
    with serving(folder, url) as (server, connection):
        kept = [told(create(connection, "before"))]
        elsewhere = folder.rename(folder.with_name("elsewhere"))
        async with open_storage(url) as others:
            (theirs,) = await save_all(others, todo(1))
            for _ in range(3):
                assert_problem(create(connection, "lost"), 503, "storage-unavailable")
            assert await all_entries(others) == {theirs.id: theirs}
        wait_until_not_ready(connection)
        assert entries(connection) == kept
    assert await stored(url) == [(str(theirs.id), theirs.revision)]
    shutil.rmtree(folder)
    elsewhere.rename(folder)
    assert await stored(url) == kept


async def test_a_disk_that_is_mounted_over_the_folder_is_left_empty(
    folder: Path, url: str
) -> None:
    with serving(folder, url) as (server, connection):
        kept = [told(create(connection, "before"))]
        with small_disk_at(folder, 1_048_576):
            assert_problem(create(connection, "lost"), 503, "storage-unavailable")
            wait_until_not_ready(connection)
            assert not list(folder.iterdir())
        kept.append(told(create_in_the_end(connection, "after")))
    assert await stored(url) == kept


async def test_a_service_that_has_all_in_memory_stores_it_again_in_a_folder_made_again(
    folder: Path,
) -> None:
    url = pickle_url(folder)
    with serving(folder, url) as (_, connection):
        kept = [told(create(connection, f"entry {number}")) for number in range(3)]
        ask(connection, "DELETE", f"/todo/{kept.pop()[0]}")
        shutil.rmtree(folder)
        assert_problem(create(connection, "lost"), 503, "storage-unavailable")
        wait_until_not_ready(connection)
        assert entries(connection) == kept
        assert not folder.exists()
        folder.mkdir()
        kept.append(told(create_in_the_end(connection, "after")))
        with pytest.raises(StorageInUse):
            await entries_in(folder)
    assert await stored(url) == kept
    async with opened(folder) as repository:
        assert len((await repository.history.changes(0, limit=10)).changes) == 5
        await check_history(repository)


@pytest.fixture
async def repository(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PickleTodoEntryRepository]:
    """A journal with an entry, that tries to recover more often than it would."""
    monkeypatch.setattr(journal_writer, "_LONGEST_PAUSE", 0.05)
    async with opened(folder) as repository:
        await repository.save(todo(1))
        yield repository


async def _recovered(repository: PickleTodoEntryRepository) -> None:
    """Wait until the repository is ready."""
    while True:
        try:
            return await repository.check()
        except StorageUnavailable:
            await asyncio.sleep(0.01)


async def test_a_journal_that_was_removed_is_missed_by_whoever_asks_and_written_again(
    folder: Path, repository: PickleTodoEntryRepository
) -> None:
    (folder / JOURNAL).unlink()
    with pytest.raises(StorageUnavailable):
        await repository.check()
    await _recovered(repository)
    found = await all_entries(repository)
    read, unreadable = pickle_salvage.read(folder / JOURNAL)
    assert {entry.id: entry for entry in read.entries()} == found
    assert not unreadable


async def test_a_lock_that_was_removed_is_taken_again_with_the_next_save(
    folder: Path, repository: PickleTodoEntryRepository
) -> None:
    (folder / "lock").unlink()
    await repository.save(todo(2))
    with pytest.raises(StorageInUse):
        await entries_in(folder)


@pytest.mark.parametrize("taken", [JOURNAL, "todo.journal.new"])
async def test_what_somebody_else_writes_to_a_journal_or_puts_in_its_place_is_left_alone(
    folder: Path, repository: PickleTodoEntryRepository, taken: str
) -> None:
    ours = (folder / JOURNAL).read_bytes()
    theirs = ours + b"what only they have"
    (folder / taken).write_bytes(theirs)
    (folder / taken).replace(folder / JOURNAL)
    for number in (2, 3):
        with pytest.raises(StorageUnavailable):
            await repository.save(todo(number))
        await asyncio.sleep(0.2)  # in which it tries to recover, more than once
        assert (folder / JOURNAL).read_bytes() == theirs
