"""What PostgreSQL is asked for at the start, and what happens where it has not all of it."""

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from myapp.domain.text import fold
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database.archive import Findings
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.sql.text_search import words_in
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.contract.entries import LATER, entries_of, new_entry, phrases, save
from tests.postgresql_server import PostgresqlServer, shared_postgresql
from tests.realistic_entries import realistic_entries
from tests.saving import save_all

_NAME = "limits"
_RESTORED = "restored"
_NO_INDEX = "no index for searches by trigrams"
_FORMER_INDEX = (
    "DROP INDEX todo_entry_search_joined; CREATE INDEX todo_entry_search_text ON todo_entry"
    " USING gin (search_text gin_trgm_ops)"
)
_WORDS_OF_PARTS = """
    SELECT cardinality(words), coalesce(bool_and(words @> todo_words_in(part)), true)
    FROM (SELECT todo_words_in('{0}') AS words) AS whole
    LEFT JOIN (SELECT substr('{0}', first, size) AS part
               FROM generate_series(1, length('{0}')) AS first,
                    generate_series(1, length('{0}') - first + 1) AS size) AS parts ON true
    GROUP BY words
"""
_OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
_PHRASE = "one two three fou"
_SEARCH_INDEXES = (
    "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%search%' ORDER BY indexname"
)
_BOTH_INDEXES = ["todo_entry_search_joined", "todo_entry_search_phrases"]


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """The server, without what these tests create."""
    server = shared_postgresql()
    yield server
    for name in (_NAME, _RESTORED):
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
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
                repository, new_entry("Lange Straße"), new_entry("at 100 % oat")
            )
            for search, entry in [
                ("STRASSE", stored[0]),
                ("% oat", stored[1]),
                ("t 100 % o", stored[1]),
            ]:
                assert await entries_of(repository, TodoQuery(search=search)) == [entry]
    assert _NO_INDEX in caplog.text

    caplog.clear()
    await open_archive(url).migrate()  # by somebody who may
    async with open_storage(modest_url) as repository:
        assert await entries_of(repository, TodoQuery(search="straße")) == [stored[0]]
    assert _NO_INDEX not in caplog.text


@pytest.fixture
async def migrated(server: PostgresqlServer) -> PostgresqlServer:
    """The server, with a database that has no entries."""
    await open_archive(server.create_database(_NAME)).migrate()
    return server


@given(content=phrases, notes=phrases)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # changes nothing
async def test_the_words_of_each_part_of_a_text_are_among_those_of_the_text(
    migrated: PostgresqlServer, content: str, notes: str
) -> None:
    text = fold(f"{content}\x1f{notes}")
    asked = _WORDS_OF_PARTS.format(text.replace("'", "''"))
    expected = f"{len(words_in(text).split())}|t"
    assert migrated.execute(asked, database=_NAME) == expected


async def test_what_a_dump_is_restored_into_finds_phrases_and_goes_on(
    migrated: PostgresqlServer,
) -> None:
    async with open_storage(migrated.url(_NAME)) as repository:
        stored = await save_all(repository, *realistic_entries(40))
    url = migrated.create_database(_RESTORED, template="template0")
    migrated.restore_dump(_NAME, _RESTORED)
    assert await open_archive(url).check() == Findings(problems=[])
    assert migrated.execute(_SEARCH_INDEXES, database=_RESTORED).split() == _BOTH_INDEXES
    async with open_storage(url) as repository:
        stored.append(await save(repository, new_entry("one two three four")))
        for entry in stored:
            query = TodoQuery(search=entry.content[2:32])
            expected = [entry for entry in stored if query.matches(entry)]
            assert await entries_of(repository, query) == expected


async def test_a_user_who_owns_nothing_needs_what_the_documents_say(
    server: PostgresqlServer,
) -> None:
    url = server.create_database(_NAME)
    server.execute("CREATE ROLE modest LOGIN")
    careful = "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    server.execute(careful, database=_NAME)
    await open_archive(url).migrate()
    for grant in re.findall("^GRANT .*$", _OPERATIONS.read_text("utf-8"), re.MULTILINE):
        server.execute(grant.replace("todo_service", "modest"), database=_NAME)
    async with open_storage(url.replace("//postgres@", "//modest@")) as repository:
        one, two = await save_all(
            repository, new_entry("one two three four"), new_entry("one two three five")
        )
        assert await entries_of(repository, TodoQuery(search="two three fiv")) == [two]
        changed = await save(repository, one.change(at=LATER, content="zero two three four"))
        await save_all(repository, two.remove(at=LATER))
        assert await entries_of(repository, TodoQuery(search=_PHRASE)) == []
        assert await entries_of(repository, TodoQuery(search="ero two three fou")) == [changed]


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
            assert await entries_of(repository, TodoQuery(search=_PHRASE)) == stored
    assert _NO_INDEX in caplog.text
    indexes = server.execute(_SEARCH_INDEXES, database=_NAME).split()
    assert indexes == _BOTH_INDEXES


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
    assert indexes == ["todo_entry_search_phrases", "todo_entry_search_text"]


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
            for search in (
                "two three four жиз",
                "e two three f",
                "two",
                "жизнь",
                "ь q 牛",
                "q 牛乳 を 買う é",
            ):
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


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
async def test_a_name_that_no_server_can_have_is_refused(host: str) -> None:
    with pytest.raises(StorageUnusable, match=f"//{host}/todos cannot be used .*label"):
        async with open_storage(f"postgresql://ann@{host}/todos"):
            pass


async def test_a_server_that_nobody_knows_is_named_without_its_password() -> None:
    url = "postgresql://ann:hunter2@127.0.0.1:1/todos"
    with pytest.raises(StorageUnusable, match="127.0.0.1:1/todos cannot be used") as refused:
        async with open_storage(url):
            pass
    assert "hunter2" not in str(refused.value)
