"""What PostgreSQL is asked for at the start, and what happens where it has not all of it."""

import logging
from collections.abc import Iterator

import pytest

from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.contract.entries import entries_of, new_entry
from tests.postgresql_server import PostgresqlServer, shared_postgresql
from tests.saving import save_all

_NAME = "limits"
_NO_INDEX = "no index for searches"


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """The server, without what these tests create."""
    server = shared_postgresql()
    yield server
    server.execute(f'DROP DATABASE IF EXISTS "{_NAME}" WITH (FORCE)')
    server.execute("DROP ROLE IF EXISTS modest")


async def test_without_the_extension_searches_find_the_same_and_it_is_said_why_they_are_slow(
    server: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.create_database(_NAME)
    server.execute("CREATE ROLE modest LOGIN")
    server.execute("GRANT ALL ON SCHEMA public TO modest", database=_NAME)
    modest_url = url.replace("//postgres@", "//modest@")
    with caplog.at_level(logging.WARNING):
        await open_archive(modest_url).migrate()
        assert "pg_trgm cannot be created" in caplog.text
        async with open_storage(modest_url) as repository:
            stored = await save_all(
                repository, new_entry("Lange Straße"), new_entry("100 % oat")
            )
            for search, entry in [("STRASSE", stored[0]), ("% oat", stored[1])]:
                assert await entries_of(repository, TodoQuery(search=search)) == [entry]
    assert _NO_INDEX in caplog.text

    caplog.clear()
    await open_archive(url).migrate()  # by somebody who may
    async with open_storage(modest_url) as repository:
        assert await entries_of(repository, TodoQuery(search="straße")) == [stored[0]]
    assert _NO_INDEX not in caplog.text


async def test_a_database_of_another_encoding_is_refused(server: PostgresqlServer) -> None:
    server.execute(
        f"CREATE DATABASE {_NAME} TEMPLATE template0 ENCODING 'LATIN1'"
        " LOCALE_PROVIDER libc LOCALE 'C'"
    )
    url = server.url(_NAME)
    with pytest.raises(StorageUnusable, match="LATIN1, not UTF8"):
        async with open_storage(url):
            pass


async def test_a_server_that_nobody_knows_is_named_without_its_password() -> None:
    url = "postgresql://ann:hunter2@127.0.0.1:1/todos"
    with pytest.raises(StorageUnusable, match="127.0.0.1:1/todos cannot be used") as refused:
        async with open_storage(url):
            pass
    assert "hunter2" not in str(refused.value)
