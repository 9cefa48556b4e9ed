"""The schema of the SQL storages: what makes it, what changes it, and who may work on it."""

import asyncio
import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ClauseElement, Connection, inspect

from myapp.domain.change import ChangeKind
from myapp.domain.errors import HistoryForgotten
from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository, TodoQuery
from myapp.infrastructure.database.archive import Findings
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.errors import (
    StorageOutdated,
    StorageUnusable,
    UnsupportedStorage,
)
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql import migrating, migrations, sqlite_file
from myapp.infrastructure.database.sql.schema import SCHEMA, SQLITE_SCHEMA, metadata
from myapp.infrastructure.database.sql.sql_archive import SqlArchive
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.contract.entries import LATER, entries_of, new_entry, save
from tests.postgresql_server import shared_postgresql
from tests.realistic_entries import realistic_entries
from tests.saving import save_all

_BEFORE, _NEXT, _AFTER_NEXT = (f"{int(SCHEMA) + number:04}" for number in (-1, 1, 2))
_MIGRATION = """
from alembic import op

revision = "{schema}"
down_revision = "{before}"


def upgrade():
    op.execute("{statement}")


def downgrade():
    raise NotImplementedError
"""
_STATEMENTS = {
    _NEXT: "ALTER TABLE todo_entry ADD COLUMN colour TEXT DEFAULT 'red'",
    _AFTER_NEXT: f"UPDATE todo_store SET oldest_schema = '{_NEXT}'",
}
_WITHOUT_HISTORY = "0001"
_SEARCH_INDEX = "todo_entry_search"  # what only one of the databases has is no table of both


Answer = TypeVar("Answer")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/todos.db"


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """The URL of a database without any tables."""
    yield shared_postgresql().create_database("migrations")
    shared_postgresql().drop_database("migrations")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of each database, with no tables."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


async def _run(url: str, work: Callable[[Connection], Answer]) -> Answer:
    """Answer what a function answers for a connection to the database."""
    archive = open_archive(url)
    assert isinstance(archive, SqlArchive)
    return await archive.dialect.run_sync(work, StorageOptions())


async def test_the_migrated_schema_is_that_of_the_tables(url: str) -> None:
    await open_archive(url).migrate()
    assert await _run(url, _differences) == []
    migrated = await _run(url, _described)
    await _run(url, partial(migrating.downgrade, schema="base"))
    await _run(url, metadata.create_all)
    assert await _run(url, _described) == migrated


def _differences(connection: Connection) -> list[object]:
    """Answer what Alembic would change to make the database's tables ours."""

    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda _object, name, *_others: _is_ours(name),
    }
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


def _described(connection: Connection) -> object:
    """Answer all that can be seen of the tables, down to collations and conditions."""
    seen = inspect(connection)
    return {
        table: [
            *map(_text, seen.get_columns(table)),
            *(_text(index) for index in seen.get_indexes(table) if _is_ours(index["name"])),
            *map(_text, seen.get_check_constraints(table)),
            _text(seen.get_pk_constraint(table)["constrained_columns"]),
            _text(seen.get_table_options(table)),
        ]
        for table in metadata.tables
    }


def _text(seen: object) -> str:
    """Answer what was seen as text, and SQL in it as such, since it knows no equality."""
    if isinstance(seen, dict):
        return str({name: _text(value) for name, value in seen.items()})
    return str(seen) if isinstance(seen, ClauseElement) else repr(seen)


def _is_ours(name: str | None) -> bool:
    return not str(name).startswith(_SEARCH_INDEX)


def test_the_schema_that_this_release_needs_is_the_newest_there_is() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_current_head() == SCHEMA


async def test_migrating_again_changes_nothing(url: str) -> None:
    stored = await _filled(url)
    await open_archive(url).migrate()
    assert await _entries_in(url) == stored
    status = await open_archive(url).status()
    assert (status.schema, status.newest_schema, status.entries) == (SCHEMA, SCHEMA, 20)


async def test_all_tables_can_be_taken_away_and_made_anew(url: str) -> None:
    await _filled(url)
    await _run(url, partial(migrating.downgrade, schema="base"))
    tables = await _run(url, lambda connection: inspect(connection).get_table_names())
    assert tables == ["alembic_version"]
    await open_archive(url).migrate()
    async with open_storage(url) as repository:
        assert await entries_of(repository) == []
        stored = await save(repository, new_entry())
        assert await entries_of(repository) == [stored]


async def test_many_at_once_migrate_once(url: str) -> None:
    await asyncio.gather(*(open_archive(url).migrate() for _ in range(8)))
    async with open_storage(url) as repository:
        stored = await save(repository, new_entry())
        assert (await entries_of(repository), stored.revision) == ([stored], 1)


async def test_this_release_still_works_on_the_tables_of_the_next(
    url: str, tmp_path: Path
) -> None:
    stored = await _filled(url)
    with _later_release(tmp_path, _NEXT):
        await open_archive(url).migrate()
        assert await _entries_in(url) == stored
    assert (await open_archive(url).status()).schema == _NEXT
    async with open_storage(url) as repository:
        assert await entries_of(repository) == stored
        changed = await save(repository, stored[0].change(at=LATER, content="changed"))
    assert await _entries_in(url) == [changed, *stored[1:]]
    with _later_release(tmp_path, _NEXT):
        assert await _entries_in(url) == [changed, *stored[1:]]


async def test_tables_that_lack_what_this_release_needs_are_refused(
    url: str, tmp_path: Path
) -> None:
    stored = await _filled(url)
    with _later_release(tmp_path, _AFTER_NEXT):
        await open_archive(url).migrate()
    with pytest.raises(UnsupportedStorage, match=f"schema {_AFTER_NEXT}.* newer release"):
        await _entries_in(url)
    with _later_release(tmp_path, _AFTER_NEXT):
        assert await _entries_in(url) == stored


async def test_a_file_is_migrated_when_it_is_opened_and_a_copy_stays_beside_it(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = await _filled(sqlite_url)
    with _later_release(tmp_path, _NEXT), caplog.at_level(logging.WARNING):
        assert await _entries_in(sqlite_url) == stored
        assert await _entries_in(sqlite_url) == stored
    assert (await open_archive(sqlite_url).status()).schema == _NEXT
    (copy,) = tmp_path.glob("todos.db.*")
    assert caplog.text.count(str(copy)) == 1
    copy_url = f"sqlite:///{copy}"
    assert (await open_archive(copy_url).status()).schema == SCHEMA
    assert await _entries_in(copy_url) == stored


async def test_a_file_that_cannot_be_copied_is_not_migrated_and_nothing_is_left_behind(
    sqlite_url: str, tmp_path: Path
) -> None:
    stored = await _filled(sqlite_url)
    with _later_release(tmp_path, _NEXT):
        with pytest.MonkeyPatch.context() as patching:
            patching.setattr(Disk, "replace", _find_no_room)
            for _ in range(2):
                with pytest.raises(StorageUnusable, match="No space left"):
                    await _entries_in(sqlite_url)
        assert [path.name for path in tmp_path.glob("todos.db*")] == ["todos.db"]
        assert (await open_archive(sqlite_url).status()).schema == SCHEMA
        assert await _entries_in(sqlite_url) == stored
    assert [path.name for path in tmp_path.glob("todos.db.*")] == [f"todos.db.schema-{SCHEMA}"]


async def test_what_a_process_has_left_that_was_killed_while_it_copied_is_removed(
    sqlite_url: str, tmp_path: Path
) -> None:
    await _filled(sqlite_url)
    with _later_release(tmp_path, _NEXT):
        with pytest.MonkeyPatch.context() as patching:
            patching.setattr(Disk, "replace", _find_no_room)
            patching.setattr(Path, "unlink", lambda *_, **__: None)  # as if it had no time to
            with pytest.raises(StorageUnusable):
                await _entries_in(sqlite_url)
        assert len(list(tmp_path.glob("*todos.db*"))) == 2
        await _entries_in(sqlite_url)
    found = sorted(path.name for path in tmp_path.glob("*todos.db*"))
    assert found == ["todos.db", f"todos.db.schema-{SCHEMA}"]


def _find_no_room(_disk: Disk, _source: Path, _target: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_new_file_and_one_that_is_not_migrated_get_no_copy(
    sqlite_url: str, tmp_path: Path
) -> None:
    await _filled(sqlite_url)
    await _entries_in(sqlite_url)
    assert [path.name for path in tmp_path.iterdir()] == ["todos.db"]


@pytest.mark.parametrize("has_tables", [False, True])
async def test_a_server_without_the_newest_tables_is_refused_until_somebody_migrates_it(
    postgresql_url: str, tmp_path: Path, has_tables: bool
) -> None:
    stored = await _filled(postgresql_url) if has_tables else []
    with _later_release(tmp_path, _NEXT):
        with pytest.raises(StorageOutdated, match="myapp storage migrate") as refused:
            await _entries_in(postgresql_url)
        assert f"schema {_NEXT}" in str(refused.value)
        assert (f"schema {SCHEMA}" if has_tables else "no tables") in str(refused.value)
        before = (await open_archive(postgresql_url).status()).schema
        assert before == (SCHEMA if has_tables else None)
        await open_archive(postgresql_url).migrate()
        assert await _entries_in(postgresql_url) == stored


async def test_the_history_of_a_database_that_had_none_begins_now(url: str) -> None:
    stored = await _filled_before(url, _WITHOUT_HISTORY)
    await open_archive(url).migrate()
    assert await _entries_in(url) == stored
    async with open_storage(url) as repository:
        history, last = repository.history, stored[-1].revision
        page = await history.changes(last, limit=10)
        assert (list(page.changes), page.next) == ([], last)
        with pytest.raises(HistoryForgotten) as caught:
            await history.changes(last - 1, limit=10)
        assert caught.value.begin == last
        for entry in stored:
            assert await history.entry_at(entry.id, last) == entry
            assert list((await history.changes_of(entry.id, limit=10)).changes) == []


@pytest.mark.parametrize("schema", [_WITHOUT_HISTORY, _BEFORE])
async def test_entries_of_former_schemas_can_be_changed_and_given_back(
    url: str, schema: str
) -> None:
    first, second, *_ = stored = await _filled_before(url, schema)
    await open_archive(url).migrate()
    async with open_storage(url) as repository:
        edit, removal = changes = await repository.save(
            first.change(at=LATER, content="changed"), second.remove(at=LATER)
        )
        assert [change.before for change in changes] == [first, second]
    async with open_storage(url) as repository:
        page = await repository.history.changes(stored[-1].revision, limit=10)
        assert list(page.changes) == list(changes)
        undone, restored = await repository.save(edit.undo(at=LATER), removal.undo(at=LATER))
        assert restored.kind is ChangeKind.RESTORED
        assert [entry.content for entry in (undone.after, restored.after)] == [
            first.content,
            second.content,
        ]


async def test_a_file_of_a_schema_before_is_migrated_when_it_is_opened(
    sqlite_url: str, tmp_path: Path
) -> None:
    stored = await _filled_before(sqlite_url, _WITHOUT_HISTORY)
    assert await _entries_in(sqlite_url) == stored
    assert (await open_archive(sqlite_url).status()).schema == SCHEMA
    (copy,) = tmp_path.glob("todos.db.*")
    assert (await open_archive(f"sqlite:///{copy}").status()).schema == _WITHOUT_HISTORY


async def test_a_file_that_migrating_does_not_change_gets_no_copy(
    sqlite_url: str, tmp_path: Path
) -> None:
    stored = await _filled_before(sqlite_url, SQLITE_SCHEMA)
    objects = await _run(sqlite_url, _objects_of_the_file)
    assert await _entries_in(sqlite_url) == stored
    assert (await open_archive(sqlite_url).status()).schema == SCHEMA
    assert await _run(sqlite_url, _objects_of_the_file) == objects
    assert [path.name for path in tmp_path.iterdir()] == ["todos.db"]


def _objects_of_the_file(connection: Connection) -> Sequence[object]:
    return connection.exec_driver_sql("SELECT * FROM sqlite_master").all()


@pytest.mark.parametrize("schema", [_WITHOUT_HISTORY, _BEFORE])
async def test_entries_of_former_schemas_are_found_and_so_is_what_they_become(
    url: str, schema: str
) -> None:
    first, *_ = stored = await _filled_before(url, schema)
    await open_archive(url).migrate()
    assert await open_archive(url).check() == Findings(problems=[])
    async with open_storage(url) as repository:
        for entry in stored:
            for wanted in (entry.content, entry.content[2:32].strip(), entry.content[:4]):
                assert entry in await _found(repository, wanted)
        changed = await save(repository, first.change(at=LATER, content="a call to make"))
        assert await _found(repository, "a call to m") == [changed]
        assert changed not in await _found(repository, first.content)


async def test_an_index_for_searches_can_be_taken_back_to_the_former_one(
    sqlite_url: str,
) -> None:
    stored = await _filled(sqlite_url)
    await _run(sqlite_url, partial(migrating.downgrade, schema="0002"))
    found = "SELECT rowid FROM todo_entry_search WHERE todo_entry_search MATCH ?"
    wanted = (f'"{fold(stored[0].content)}"',)
    numbers = await _run(
        sqlite_url, lambda connection: connection.exec_driver_sql(found, wanted).scalars().all()
    )
    assert numbers == [stored[0].revision]


async def test_an_index_of_words_goes_with_its_function_and_both_come_again(
    postgresql_url: str,
) -> None:
    stored = await _filled_before(postgresql_url, "0003")
    left = "SELECT to_regclass('todo_entry_search_phrases'), to_regproc('todo_words_in')"
    row = await _run(postgresql_url, lambda asked: asked.exec_driver_sql(left).one())
    assert tuple(row) == (None, None)
    await open_archive(postgresql_url).migrate()
    async with open_storage(postgresql_url) as repository:
        for entry in stored:
            assert entry in await _found(repository, entry.content[2:32])


async def test_a_former_release_must_not_store_what_the_history_is_not_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _filled(url)
    for module in (migrating, sqlite_file):
        monkeypatch.setattr(module, "SCHEMA", _WITHOUT_HISTORY)
    with pytest.raises(UnsupportedStorage, match=f"schema {SCHEMA}.* newer release"):
        await _entries_in(url)


@pytest.mark.parametrize("schema", ["0002", "0004"])
async def test_former_releases_must_not_store_what_the_search_index_is_not_told(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    await _filled(sqlite_url)
    for module in (migrating, sqlite_file):
        monkeypatch.setattr(module, "SCHEMA", schema)
    with pytest.raises(UnsupportedStorage, match=f"schema {SCHEMA}.* newer release"):
        await _entries_in(sqlite_url)


async def _filled_before(url: str, schema: str = _BEFORE) -> list[TodoEntry]:
    """Fill a storage of a schema before this release's, and answer its entries."""
    stored = await _filled(url)
    await _run(url, partial(migrating.downgrade, schema=schema))
    assert (await open_archive(url).status()).schema == schema
    return stored


async def _filled(url: str) -> list[TodoEntry]:
    """Migrate and fill the storage, and answer its entries."""
    await open_archive(url).migrate()
    async with open_storage(url) as repository:
        return await save_all(repository, *realistic_entries(20))


async def _found(repository: TodoEntryRepository, wanted: str) -> Sequence[TodoEntry]:
    return await entries_of(repository, TodoQuery(search=wanted))


async def _entries_in(url: str) -> list[TodoEntry]:
    async with open_storage(url) as repository:
        return list(await entries_of(repository))


@contextmanager
def _later_release(tmp_path: Path, schema: str) -> Iterator[None]:
    """Be a later release meanwhile, which needs a later schema.

    The next one adds a column; the one after it takes something away that this one needs.
    """
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, folder)
    before = SCHEMA
    for later, statement in _STATEMENTS.items():
        if later <= schema:
            text = _MIGRATION.format(schema=later, before=before, statement=statement)
            (folder / "versions" / f"m{later}.py").write_text(text)
            before = later
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrating, "_MIGRATIONS", str(folder))
        for module in (migrating, sqlite_file):
            patch.setattr(module, "SCHEMA", schema)
        patch.setattr(sqlite_file, "SQLITE_SCHEMA", schema)
        yield
    shutil.rmtree(folder)
