"""What SQLite and PostgreSQL do differently: connecting, locking, failing."""

import asyncio
import os
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import sqlalchemy as sa
from sqlalchemy import URL, NullPool, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connection import Connection, Step, Steps
from myapp.infrastructure.database.sql.postgresql_connection import PostgresqlConnection
from myapp.infrastructure.database.sql.schema import metadata
from myapp.infrastructure.database.sql.sqlite_connection import SqliteConnection
from myapp.infrastructure.database.sql.sqlite_file import borrowed
from myapp.infrastructure.database.sql.text_search import (
    ONE_PIECE,
    PostgresqlSearch,
    SqliteSearch,
    TextSearch,
)

_BESIDE = ("-wal", "-shm", "-journal")  # SQLite's own files, by what ends their names
_IDLE_MOST = 60_000  # milliseconds that others wait for a process which has fallen silent
_FOR_EVER = 86_400.0
_FLAWS_MOST = 100
_INTEGRITY = text(f"PRAGMA integrity_check({_FLAWS_MOST})")
_SEARCH_INDEX_DIFFERS = text(
    "SELECT (SELECT count(*) FROM todo_entry_search_trigrams_docsize)"
    " <> (SELECT count(*) FROM todo_entry)"
)
_WAIT_FOR_COMMITS = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
_SIZE = text(
    "SELECT CAST(coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) AS bigint)"
    " FROM unnest(CAST(:names AS text[])) AS name"
)

Answer = TypeVar("Answer")


class Dialect(ABC):
    """One of the two, and where the database is."""

    search: TextSearch
    shares_reads: bool
    begin_change: TextClause
    begin_snapshot: TextClause
    after_load: Sequence[TextClause]

    @property
    @abstractmethod
    def place(self) -> str:
        """What the database is called in messages; nothing in it is secret."""

    @property
    @abstractmethod
    def files(self) -> Collection[Path]:
        """The files on this machine that hold the database, there or not."""

    @abstractmethod
    async def connect(self, options: StorageOptions) -> Connection:
        """Answer a new connection; raises OSError as `check` does."""

    @abstractmethod
    async def run_sync(
        self, work: Callable[[sa.Connection], Answer], options: StorageOptions
    ) -> Answer:
        """Answer what a function does with a connection of SQLAlchemy's, made for it alone."""

    @abstractmethod
    def check(self) -> None:
        """Raise OSError if what was connected to first is not what others would find now."""

    @abstractmethod
    async def size(self, connection: Connection) -> int:
        """Answer how many bytes the storage takes."""

    @abstractmethod
    def flaws(self) -> Steps[Sequence[str]]:
        """Answer what the database itself finds wrong, a sentence each."""

    @abstractmethod
    def is_full(self, error: Exception) -> bool:
        """Whether a failure is that there is no space left."""

    @abstractmethod
    def is_damage(self, error: Exception) -> bool:
        """Whether a failure is that what was written cannot be read any more."""

    @abstractmethod
    def is_conflict(self, error: Exception) -> bool:
        """Whether a transaction was rolled back for another's sake, and may succeed now."""


class Sqlite(Dialect):
    """A file; writers of all processes wait for each other, readers wait for nobody."""

    shares_reads = True  # since they are made in threads, which is most of what one takes
    begin_change = text("BEGIN IMMEDIATE")
    begin_snapshot = text("BEGIN")
    after_load = ONE_PIECE

    def __init__(self, path: Path) -> None:
        self.path = path
        self.search = SqliteSearch()
        self._file: os.stat_result | None = None

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def files(self) -> Collection[Path]:
        beside = [self.path.with_name(f"{self.path.name}{end}") for end in _BESIDE]
        return self.path, *beside

    async def connect(self, options: StorageOptions) -> Connection:
        connection = SqliteConnection(lambda: self._open(options))
        await connection.open()
        return connection

    async def run_sync(
        self, work: Callable[[sa.Connection], Answer], options: StorageOptions
    ) -> Answer:
        def run() -> Answer:
            with closing(self._open(options)) as file, borrowed(file) as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    def prepare(self, file: sqlite3.Connection) -> None:
        """Set up a new connection."""
        file.execute("PRAGMA synchronous = FULL")
        # KB. The system keeps the file's pages as well: with 2,000 for each of ten connections
        # the service took 16 MB more than with 500, and answered no sooner.
        file.execute("PRAGMA cache_size = -700")
        if sys.platform == "darwin":  # where fsync alone does not reach the disk
            file.execute("PRAGMA fullfsync = ON")
            file.execute("PRAGMA checkpoint_fullfsync = ON")

    def check(self) -> None:
        # SQLite goes on with a file that was moved or removed, and its log. Asking takes three
        # microseconds and no disk: the system knows by heart where an open file lies.
        found = self.path.stat()
        self._file = self._file or found
        if not os.path.samestat(found, self._file):
            raise OSError("another file is in its place")

    async def size(self, connection: Connection) -> int:
        log = self.path.with_name(f"{self.path.name}-wal")
        return sum(path.stat().st_size for path in (self.path, log) if path.exists())

    def flaws(self) -> Steps[Sequence[str]]:
        told = yield Step(_INTEGRITY)
        found = [f"SQLite finds: {flaw}." for (flaw,) in told if flaw != "ok"]
        ((differs,),) = yield Step(_SEARCH_INDEX_DIFFERS)
        if differs:
            found.append("The search index knows other entries than there are.")
        return found

    def is_full(self, error: Exception) -> bool:
        return _told(error, "sqlite_errorname") == "SQLITE_FULL"

    def is_damage(self, error: Exception) -> bool:
        return str(_told(error, "sqlite_errorname")).startswith("SQLITE_CORRUPT")

    def is_conflict(self, error: Exception) -> bool:
        return False  # who waits for a lock in vain has waited as long as it may

    def _open(self, options: StorageOptions) -> sqlite3.Connection:
        # By default a file that is gone would be made, empty.
        place = f"{self.path.absolute().as_uri()}?mode=rw"
        patience = options.statement_timeout or _FOR_EVER
        file = sqlite3.connect(place, timeout=patience, isolation_level=None, uri=True)
        try:
            self.check()
            self.prepare(file)
        except BaseException:
            file.close()
            raise
        return file


class Postgresql(Dialect):
    """A server; whoever changes something locks the row of todo_store first."""

    shares_reads = False  # a connection waits for the server, and others need not
    begin_change = text("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
    begin_snapshot = text("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    # Or plans are bad.
    after_load = tuple(text(f"ANALYZE {table}") for table in metadata.tables)

    def __init__(self, url: str) -> None:
        self._url = url
        self.search = PostgresqlSearch()

    @property
    def place(self) -> str:
        url = urlsplit(self._url)
        return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()

    @property
    def files(self) -> Collection[Path]:
        return ()  # they are the server's

    async def connect(self, options: StorageOptions) -> Connection:
        driver = await asyncpg.connect(**self._arguments(options))
        connection = PostgresqlConnection(driver)
        try:
            await driver.execute(_WAIT_FOR_COMMITS)
        except BaseException:
            connection.drop()
            raise
        return connection

    async def run_sync(
        self, work: Callable[[sa.Connection], Answer], options: StorageOptions
    ) -> Answer:
        engine = create_async_engine(
            URL.create("postgresql+asyncpg"),
            connect_args=self._arguments(options),
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            hide_parameters=True,
            poolclass=NullPool,
        )
        async with engine.connect() as connection:
            await connection.exec_driver_sql(_WAIT_FOR_COMMITS)
            return await connection.run_sync(work)

    def check(self) -> None:
        pass  # a server knows where its files are

    async def size(self, connection: Connection) -> int:
        ((size,),) = await connection.fetch(_SIZE, {"names": list(metadata.tables)})
        return int(size)

    def flaws(self) -> Steps[Sequence[str]]:
        yield from ()
        return ()  # it has no such question

    def is_full(self, error: Exception) -> bool:
        return _told(error, "sqlstate") == "53100"  # disk_full

    def is_damage(self, error: Exception) -> bool:
        return _told(error, "sqlstate") in ("XX001", "XX002")  # of data, of an index

    def is_conflict(self, error: Exception) -> bool:
        return _told(error, "sqlstate") in ("40001", "40P01")  # serialisation, deadlock

    def _arguments(self, options: StorageOptions) -> dict[str, Any]:  # asyncpg knows of what
        timeout = options.statement_timeout
        return {
            "dsn": self._url,
            "timeout": options.connection_timeout,
            "command_timeout": timeout + 1 if timeout else None,  # if no answer comes at all
            "server_settings": {
                "application_name": "todoapp",
                "statement_timeout": str(round(timeout * 1_000)),
                "idle_in_transaction_session_timeout": str(_IDLE_MOST if timeout else 0),
                # Every statement has its indexes, and joins by them. Where the planner guesses
                # wrong how much they find, it would read whole tables instead.
                "enable_seqscan": "off",
                "enable_hashjoin": "off",
                "enable_mergejoin": "off",
                "random_page_cost": "1.1",
                "jit": "off",
            },
        }


def _told(error: Exception, name: str) -> object:
    """Answer what a driver's own error says under a name, if it does."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, name, None)
