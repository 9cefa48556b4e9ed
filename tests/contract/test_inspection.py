"""What `storage check` finds in tables that somebody has written into by hand."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connection import Steps
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.opening import connected
from myapp.infrastructure.database.sql.postgresql_dialect import Postgresql
from myapp.infrastructure.database.sql.sql_archive import SqlArchive
from myapp.infrastructure.database.sql.sqlite_dialect import Sqlite
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.contract.entries import LATER, entries_of, new_entry
from tests.saving import save_all
from tests.storages import STORAGE_URLS

UNLIKE = "Some entries are not what their last change has made of them."
UNPRECEDED = "Some changes do not have the state before them."
UNKNOWN = "Some entries are known only from changes that did not remove them."
TOO_LATE = "Some changes have a later revision than the store has given out."
TRIGRAMS, PHRASES = "todo_entry_search_trigrams", "todo_entry_search_phrases"


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a storage with an entry that was changed, and of one that was removed.

    Their revisions are 3 (1 before) and 4 (2 before).
    """
    kind: str = request.param
    found = STORAGE_URLS[kind](tmp_path)
    async with open_storage(found) as repository:
        one, other = await save_all(repository, new_entry(tags=("shop",)), new_entry())
        await repository.save(one.complete(at=LATER))
        await repository.save(other.remove(at=LATER))
    return found


async def check_after(url: str, *statements: str) -> Sequence[str]:
    """Execute statements, and answer what is found wrong then."""
    archive = open_archive(url)
    assert isinstance(archive, SqlArchive)
    async with connected(archive.dialect, StorageOptions()) as connections:
        async with connections.connect() as connection:
            for statement in statements:
                await connection.fetch(text(statement), {})
    return (await archive.check()).problems


async def test_nothing_is_wrong_with_what_was_only_used(url: str) -> None:
    assert await check_after(url) == []


async def test_nothing_is_wrong_with_a_history_that_was_cut_short(url: str) -> None:
    async with open_storage(url) as repository:
        await repository.history.forget(keep=1, receipts_before=LATER)
    assert await check_after(url) == []


async def test_nothing_is_wrong_if_several_changes_of_an_entry_were_forgotten(url: str) -> None:
    async with open_storage(url) as repository:
        (changed,) = [e for e in await entries_of(repository) if e.completed_at]
        await repository.save(changed.reopen(at=LATER))
        await repository.history.forget(keep=1, receipts_before=LATER)
    assert await check_after(url) == []


async def test_all_is_told_that_a_database_finds_wrong_with_itself(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [f"A row is missing from index {number}." for number in range(101)]

    def flaws(_dialect: Dialect) -> Steps[Sequence[str]]:
        yield from ()
        return told

    for dialect in (Sqlite, Postgresql):
        monkeypatch.setattr(dialect, "flaws", flaws)
    found = await check_after(url, "UPDATE todo_store SET entries_open = 1")
    assert found == [*told, "The store counts other entries than there are."]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE todo_store SET entries_open = 1", "The store counts other entries than"),
        ("UPDATE todo_store SET revision = 2", "An entry has a later revision than the store"),
        ("UPDATE todo_entry SET content = 'bread'", "content_key, search_text is not what"),
        ("UPDATE todo_entry SET priority = 9", "cannot be read"),
        ("DELETE FROM todo_entry_tag", "The tags of the entries and the table todo_entry_tag"),
        ("UPDATE todo_tag SET entries = 2", "The tags of the entries and the table todo_tag"),
        ("UPDATE todo_change SET notes = 'x' WHERE revision = 3", UNLIKE),
        ("UPDATE todo_change SET completed_at = NULL WHERE revision = 3", UNLIKE),
        ("UPDATE todo_change SET next = 4 WHERE revision = 3", UNLIKE),
        ("DELETE FROM todo_change WHERE revision = 3", UNLIKE),
        ("DELETE FROM todo_change WHERE revision = 1", UNPRECEDED),
        ("UPDATE todo_change SET next = 4 WHERE revision = 1", UNPRECEDED),
        ("UPDATE todo_change SET removed_at = NULL WHERE revision = 4", UNKNOWN),
        ("UPDATE todo_change SET revision = 7 WHERE revision = 4", TOO_LATE),
    ],
)
async def test_what_does_not_fit_together_is_found(
    url: str, statement: str, found: str
) -> None:
    flaws = await check_after(url, statement)
    assert any(found in flaw for flaw in flaws), flaws


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO {TRIGRAMS} ({TRIGRAMS}, rowid, search_text)"
        " SELECT 'delete', number, search_text FROM todo_entry",
        f"INSERT INTO {TRIGRAMS} (rowid, search_text) VALUES (99, 'unknown')",
        f"INSERT INTO {PHRASES} ({PHRASES}) VALUES ('delete-all')",
        f"INSERT INTO {PHRASES} (rowid, words) VALUES (99, 'ffffffff')",
    ],
)
async def test_a_search_index_that_knows_other_texts_is_found(
    tmp_path: Path, statement: str
) -> None:
    url = STORAGE_URLS["sqlite"](tmp_path)
    async with open_storage(url) as repository:
        await save_all(repository, new_entry(content="a café in 東京 \N{FIRE}\N{FIRE} to see"))
    assert await check_after(url) == []
    assert await check_after(url, statement) == [
        "The search index knows other texts than there are."
    ]
