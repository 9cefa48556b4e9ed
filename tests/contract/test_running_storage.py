"""What every storage tells of itself while it is used."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from myapp.domain.errors import StorageUnavailable
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.running_storage import Pool, RunningStorage
from myapp.infrastructure.database.sql.opening import connected
from myapp.infrastructure.database.sql.sql_archive import SqlArchive
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.contract.entries import LATER, NOON, new_entry, save
from tests.postgresql_server import shared_postgresql
from tests.storages import STORAGE_URLS


def asked(repository: TodoEntryRepository) -> RunningStorage:
    """Answer the storage that a repository is."""
    assert isinstance(repository, RunningStorage)
    return repository


@pytest.fixture(params=STORAGE_URLS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty storage of each kind."""
    kind: str = request.param
    return STORAGE_URLS[kind](tmp_path)


@pytest.fixture
async def repository(url: str) -> AsyncIterator[TodoEntryRepository]:
    """The storage, opened."""
    async with open_storage(url) as opened:
        yield opened


async def test_it_tells_what_it_holds_as_its_archive_does(
    url: str, repository: TodoEntryRepository
) -> None:
    entry = await save(repository, new_entry())
    await repository.save(new_entry(), new_entry())
    await repository.save(entry.remove(at=LATER))

    status = await asked(repository).status()

    assert (status.entries, status.revision) == (2, 4)
    assert status.size > 0
    archived = await open_archive(url).status()
    assert replace(status, size=0) == replace(archived, size=0)


async def test_it_counts_the_saves_that_were_committed_together(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(new_entry(), new_entry())
    await asyncio.gather(*(repository.save(new_entry()) for _ in range(20)))

    commits = asked(repository).use().commits

    assert sum(saves * times for saves, times in commits.items()) == 21
    assert sum(commits.values()) < 21


async def test_those_that_come_right_after_each_other_share_a_commit(
    repository: TodoEntryRepository,
) -> None:
    async def save_after(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await repository.save(new_entry())

    await asyncio.gather(*map(save_after, range(10)))

    assert asked(repository).use().commits == {10: 1}


async def test_it_counts_no_commit_of_those_that_only_look(
    repository: TodoEntryRepository,
) -> None:
    await repository.check()

    assert not asked(repository).use().commits


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_tells_how_its_connections_are_used(kind: str, tmp_path: Path) -> None:
    url = STORAGE_URLS[kind](tmp_path)
    options = StorageOptions(pool_size=1, connection_timeout=0.5)
    async with open_storage(url, options) as repository:
        assert asked(repository).use().pool == Pool(size=1, in_use=0, timeouts=0)

    archive = open_archive(url)
    assert isinstance(archive, SqlArchive)
    async with connected(archive.dialect, options) as connections, connections.connect():
        with pytest.raises(StorageUnavailable):
            await connections.fetch(text("SELECT 1"), {})
        assert connections.pool == Pool(size=1, in_use=1, timeouts=1)


@pytest.mark.parametrize(
    ("kind", "endless"),
    [
        (
            "sqlite",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT max(i) FROM n",
        ),
        ("postgresql", "SELECT pg_sleep(3600)"),
    ],
)
async def test_a_read_that_is_given_up_keeps_no_connection(
    kind: str, endless: str, tmp_path: Path
) -> None:
    archive = open_archive(STORAGE_URLS[kind](tmp_path))
    assert isinstance(archive, SqlArchive)
    await archive.migrate()
    async with connected(archive.dialect, StorageOptions(pool_size=1)) as connections:
        await connections.fetch(text("SELECT 1"), {})
        reading = asyncio.create_task(connections.fetch(text(endless), {}))
        while not connections.pool.in_use:
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

        assert connections.pool.in_use == 0
        ((answer,),) = await connections.fetch(text("SELECT 1"), {})
        assert answer == 1


async def test_a_journal_tells_what_is_of_no_use_any_more(tmp_path: Path) -> None:
    async with open_storage(STORAGE_URLS["pickle"](tmp_path)) as repository:
        entry = await save(repository, new_entry())
        assert asked(repository).use().dead == 0
        for hour in range(100):
            entry = await save(
                repository, entry.change(content=f"no. {hour}", at=NOON + timedelta(hours=hour))
            )
        await repository.history.forget(keep=1, receipts_before=NOON)
        dead = asked(repository).use().dead
        size = (await asked(repository).status()).size

    assert dead is not None
    assert 0.9 * size < dead < size


async def test_a_database_that_is_gone_is_told_of(tmp_path: Path) -> None:
    async with open_storage(STORAGE_URLS["sqlite"](tmp_path)) as repository:
        (tmp_path / "todos.db").rename(tmp_path / "elsewhere.db")

        with pytest.raises(StorageUnavailable):
            await asked(repository).status()


async def test_a_database_that_has_dropped_its_connections_is_asked_by_a_new_one(
    tmp_path: Path,
) -> None:
    url = STORAGE_URLS["postgresql"](tmp_path)
    async with open_storage(url) as repository:
        await asked(repository).status()
        shared_postgresql().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{urlsplit(url).path[1:]}'"
        )

        assert (await asked(repository).status()).entries == 0
