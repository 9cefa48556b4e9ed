"""When the log of an SQLite file is brought back, and that nobody changes it meanwhile."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from myapp.infrastructure.database.sql import sqlite_log
from myapp.infrastructure.database.sql.sqlite_dialect import Sqlite
from myapp.infrastructure.database.sql.sqlite_log import Checkpoints, keep_log
from myapp.infrastructure.database.storage import open_storage
from tests.contract.entries import entries_of
from tests.realistic_entries import realistic_entries
from tests.saving import save_all

_ROWS = 100


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log be brought back after few changes."""
    monkeypatch.setattr(sqlite_log, "_ROWS_CHANGED", _ROWS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a log."""
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("CREATE TABLE filled (text)")
    return tmp_path / "a.db"


@pytest.fixture
def file(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the file that leaves its log alone."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        keep_log(file)
        yield file


def _checkpoints(path: Path) -> Checkpoints:
    return Checkpoints(lambda: sqlite3.connect(path, isolation_level=None))


def _fill(file: sqlite3.Connection, rows: int = _ROWS) -> None:
    file.executemany("INSERT INTO filled VALUES (?)", [("x" * 1_000,)] * rows)


def test_a_log_is_brought_back_after_enough_changes(
    path: Path, file: sqlite3.Connection
) -> None:
    checkpoints = _checkpoints(path)
    empty = path.stat().st_size
    _fill(file, _ROWS - 1)
    checkpoints.make_one_if_due(file)
    assert path.stat().st_size == empty
    _fill(file, 1)
    checkpoints.make_one_if_due(file)
    assert (first := path.stat().st_size) > empty
    _fill(file, _ROWS - 1)
    checkpoints.make_one_if_due(file)
    assert path.stat().st_size == first
    _fill(file, 1)
    checkpoints.make_one_if_due(file)
    assert path.stat().st_size > first


def test_nobody_can_change_anything_meanwhile_but_everybody_can_afterwards(
    path: Path, file: sqlite3.Connection
) -> None:
    outcomes = []

    def change(statement: str) -> None:
        assert "wal_checkpoint" in statement
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            try:
                _fill(other, 1)
            except sqlite3.OperationalError as error:
                outcomes.append(error.sqlite_errorname)
            else:
                outcomes.append("changed")

    _fill(file)
    file.set_trace_callback(change)
    _checkpoints(path).make_one_if_due(file)
    assert outcomes == ["SQLITE_BUSY"]
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        _fill(other, 1)


def test_a_log_is_not_brought_back_while_somebody_changes_something_but_later(
    path: Path, file: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = _checkpoints(path)
    empty = path.stat().st_size
    _fill(file)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        checkpoints.make_one_if_due(file)
        assert path.stat().st_size == empty
        other.execute("ROLLBACK")
    checkpoints.make_one_if_due(file)
    assert path.stat().st_size > empty
    assert not caplog.records


def test_a_log_is_not_brought_back_within_a_transaction(
    path: Path, file: sqlite3.Connection
) -> None:
    checkpoints = _checkpoints(path)
    empty = path.stat().st_size
    file.execute("BEGIN")
    _fill(file)
    checkpoints.make_one_if_due(file)
    assert path.stat().st_size == empty
    file.execute("COMMIT")
    checkpoints.make_one_if_due(file)
    assert path.stat().st_size > empty


def test_what_is_still_read_keeps_nobody_waiting(path: Path, file: sqlite3.Connection) -> None:
    checkpoints = _checkpoints(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM filled").fetchone()
        for _ in range(3):
            _fill(file)
            checkpoints.make_one_if_due(file)
        assert reader.execute("SELECT count(*) FROM filled").fetchone() == (0,)
    _fill(file)
    checkpoints.make_one_if_due(file)
    assert file.execute("SELECT count(*) FROM filled").fetchone() == (4 * _ROWS,)
    assert file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0


def test_a_log_that_cannot_be_brought_back_is_told_and_nothing_is_refused(
    path: Path, file: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> sqlite3.Connection:
        raise OSError("no more files can be opened")

    checkpoints = Checkpoints(fail)
    _fill(file)
    with caplog.at_level(logging.WARNING):
        checkpoints.make_one_if_due(file)
        checkpoints.make_one_if_due(file)
    assert [record.getMessage() for record in caplog.records] == [
        "the log is not brought back into the file yet: no more files can be opened"
    ]


async def test_the_log_of_a_storage_stays_short_and_is_left_to_nobody_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "todos.db"
    log = path.with_name("todos.db-wal")
    async with open_storage(f"sqlite:///{path}") as repository:
        entries = [*realistic_entries(400)]
        await save_all(repository, *entries[:200])
        size, logged = path.stat().st_size, log.stat().st_size
        for start in range(200, 400, 20):
            await save_all(repository, *entries[start : start + 20])
        assert path.stat().st_size > size
        assert log.stat().st_size == logged
        assert len(await entries_of(repository)) == 400
    assert not log.exists()
    with closing(sqlite3.connect(path)) as file:
        Sqlite(path).prepare(file)
        assert file.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
