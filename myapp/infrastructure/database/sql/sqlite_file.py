"""The file of an SQLite storage: that it is there, ours, and has the newest schema."""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy import Connection, StaticPool, create_engine

from myapp.infrastructure.database.disk import (
    Disk,
    make_folder_of,
    remove_remains,
    unused,
    whole_file,
)
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.sql.migrating import schema_of, suffices, upgrade
from myapp.infrastructure.database.sql.schema import SCHEMA, SQLITE_SCHEMA
from myapp.infrastructure.database.sql.sqlite_log import keep_log

APPLICATION_ID = 0x746F646F
"""What marks the file as one of this service ("todo"), at offset 68 (SQLite's file format)."""

_PAUSE = 0.01

_log = logging.getLogger(__name__)


def make_ready(path: Path, timeout: float) -> None:
    """Make the file if there is none, and bring it to the newest schema if it is older.

    Before the tables of an existing one are changed a copy of it is put beside it. Several
    processes may do this at once. Raises StorageUnusable, OSError; `timeout` is in seconds.
    """
    make_folder_of(path.absolute(), Disk())
    # Never opened if it is there: closing it again would give up the locks of every other
    # connection in this process (fcntl(2)), and others would take the file for unused.
    with suppress(FileExistsError):
        file_itself = os.path.realpath(path)  # O_EXCL takes a link for a file that exists
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(file_itself, flags, 0o600))
    try:
        with closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as file:
            _check_ownership(file, path)
            _use_write_ahead_log(file, timeout)
            keep_log(file)
            _migrate(file, path)
    except sqlite3.Error as error:
        raise StorageUnusable(path, error) from error


def check_presence(path: Path) -> None:
    """Raise StorageUnusable unless there is a file, and of ours."""
    if not path.exists():
        raise StorageUnusable(path, "there is no such file")
    try:
        with closing(sqlite3.connect(path)) as file:
            _check_ownership(file, path)
    except sqlite3.Error as error:
        raise StorageUnusable(path, error) from error


def borrowed(file: sqlite3.Connection) -> Connection:
    """Answer a connection of SQLAlchemy's, to be entered, which is this one."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: file,
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        hide_parameters=True,
    )
    return engine.connect()


def _check_ownership(file: sqlite3.Connection, path: Path) -> None:
    """Raise StorageUnusable if the file holds something that is not ours."""
    (application,) = file.execute("PRAGMA application_id").fetchone()
    (objects,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if objects and application != APPLICATION_ID:
        raise StorageUnusable(path, "it is a database of another application")


def _use_write_ahead_log(file: sqlite3.Connection, timeout: float) -> None:
    """Switch the file to WAL, once and for all; SQLite does not wait for others here."""
    end = monotonic() + timeout
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or monotonic() > end:
                raise
            sleep(_PAUSE)
        else:
            return


def _migrate(file: sqlite3.Connection, path: Path) -> None:
    with borrowed(file) as connection:
        if suffices(schema_of(connection)):
            return
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        schema = schema_of(connection)  # another process may have been first
        if schema is not None and schema < SQLITE_SCHEMA:
            _keep_copy(path, schema)
        upgrade(connection)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql("COMMIT")


def _keep_copy(path: Path, schema: str) -> None:
    copy = unused(path.with_name(f"{path.name}.schema-{schema}"))
    remove_remains(copy)  # a start that is stopped while it copies ends at once
    with whole_file(copy, Disk()) as partial:
        # By connections of its own: one that is changing the file waits for itself for ever.
        with closing(sqlite3.connect(path)) as file:
            with closing(sqlite3.connect(partial)) as target:
                target.execute("PRAGMA synchronous = FULL")
                file.backup(target)
    _log.warning(
        "%s has schema %s: a copy is kept as %s, and it is brought to schema %s",
        path,
        schema,
        copy,
        SCHEMA,
    )
