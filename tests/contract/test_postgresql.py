"""What PostgreSQL is asked for at the start, and what happens where it has not all of it."""

import asyncio
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
_FORMER_INDEX = (
    "DROP INDEX todo_entry_search_joined; CREATE INDEX todo_entry_search_text ON todo_entry"
    " USING gin (search_text gin_trgm_ops)"
)
_SEARCH_INDEXES = (
    "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%search%' ORDER BY indexname"
)


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


async def test_many_that_migrate_at_once_replace_the_index_of_earlier_releases(
    server: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.create_database(_NAME)
    await open_archive(url).migrate()
    server.execute(_FORMER_INDEX, database=_NAME)
    with caplog.at_level(logging.WARNING):
        async with open_storage(url) as repository:
            stored = await save_all(repository, new_entry("one two three four"))
            await asyncio.gather(*(open_archive(url).migrate() for _ in range(8)))
            assert await entries_of(repository, TodoQuery(search="e two three f")) == stored
    assert _NO_INDEX in caplog.text
    indexes = server.execute(_SEARCH_INDEXES, database=_NAME).split()
    assert indexes == ["todo_entry_search_joined", "todo_entry_search_words"]


async def test_an_index_of_earlier_releases_stays_where_there_can_be_no_other(
    server: PostgresqlServer,
) -> None:
    url = server.create_database(_NAME)
    await open_archive(url).migrate()
    former = "CREATE INDEX todo_entry_search_text ON todo_entry (content_key)"
    server.execute(f"DROP EXTENSION pg_trgm CASCADE; {former}", database=_NAME)
    server.execute("CREATE ROLE modest LOGIN")
    server.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO modest", database=_NAME)
    await open_archive(url.replace("//postgres@", "//modest@")).migrate()
    indexes = server.execute(_SEARCH_INDEXES, database=_NAME).split()
    assert indexes == ["todo_entry_search_text", "todo_entry_search_words"]


async def test_where_only_ascii_has_letters_searches_find_the_same(
    server: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.execute(
        f"CREATE DATABASE {_NAME} TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
    )
    url = server.url(_NAME)
    await open_archive(url).migrate()
    contents = ("one two three", "one two three four жизнь q 牛乳 を 買う é", "жизнь")
    with caplog.at_level(logging.WARNING):
        async with open_storage(url) as repository:
            stored = await save_all(repository, *map(new_entry, contents))
            for search in ("e two three f", "two", "жизнь", "ь q 牛", "q 牛乳 を 買う é"):
                query = TodoQuery(search=search)
                expected = [entry for entry in stored if query.matches(entry)]
                assert await entries_of(repository, query) == expected
    assert "knows no letters beyond ASCII" in caplog.text


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
