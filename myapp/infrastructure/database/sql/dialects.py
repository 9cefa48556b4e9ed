"""What SQLite and PostgreSQL do differently: connecting, locking, failing."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import URL, Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.schema import metadata
from myapp.infrastructure.database.sql.text_search import (
    PostgresqlSearch,
    SqliteSearch,
    TextSearch,
)

_IDLE_MOST = 60_000  # milliseconds that others wait for a process which has fallen silent
_FOR_EVER = 86_400.0
_FLAWS_MOST = 100
_SEARCH_INDEX_DIFFERS = (
    "SELECT (SELECT count(*) FROM todo_entry_search_docsize)"
    " <> (SELECT count(*) FROM todo_entry)"
)
_SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint"
    " FROM unnest($1::text[]) AS name"
)


class Dialect(ABC):
    """One of the two, and where the database is."""

    search: TextSearch
    begin_change: str
    begin_snapshot: str
    after_load: Sequence[str]

    @property
    @abstractmethod
    def place(self) -> str:
        """What the database is called in messages; nothing in it is secret."""

    @property
    @abstractmethod
    def engine_url(self) -> URL:
        """The URL for SQLAlchemy, which names the driver."""

    @abstractmethod
    def connect_arguments(self, options: StorageOptions) -> Mapping[str, object]:
        """Answer what the driver is told to connect with."""

    @abstractmethod
    def prepare(self, connection: DBAPIConnection, _entry: object) -> None:
        """Set up a new connection; raises OSError as `check` does."""

    @abstractmethod
    def check(self) -> None:
        """Raise OSError if what was connected to first is not what others would find now."""

    @abstractmethod
    def size(self, connection: Connection) -> int:
        """Answer how many bytes the storage takes."""

    @abstractmethod
    def flaws(self, connection: Connection) -> Sequence[str]:
        """Answer what the database itself finds wrong, a sentence each."""

    @abstractmethod
    def is_full(self, error: Exception) -> bool:
        """Whether a failure is that there is no space left."""

    @abstractmethod
    def is_conflict(self, error: Exception) -> bool:
        """Whether a transaction was rolled back for another's sake, and may succeed now."""


class Sqlite(Dialect):
    """A file; writers of all processes wait for each other, readers wait for nobody."""

    begin_change = "BEGIN IMMEDIATE"
    begin_snapshot = "BEGIN"
    after_load = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.search = SqliteSearch()
        self._file: os.stat_result | None = None

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def engine_url(self) -> URL:
        mode = {"mode": "rw", "uri": "true"}  # or a file that is gone would be made, empty
        return URL.create(
            "sqlite+aiosqlite", database=self.path.absolute().as_uri(), query=mode
        )

    def connect_arguments(self, options: StorageOptions) -> Mapping[str, object]:
        return {"timeout": options.statement_timeout or _FOR_EVER}

    def prepare(self, connection: DBAPIConnection, _entry: object) -> None:
        self.check()
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -16000")  # 16 MB
        if sys.platform == "darwin":  # where fsync alone does not reach the disk
            cursor.execute("PRAGMA fullfsync = ON")
            cursor.execute("PRAGMA checkpoint_fullfsync = ON")
        cursor.close()

    def check(self) -> None:
        # SQLite goes on with a file that was moved or removed, and its log. Asking takes three
        # microseconds and no disk: the system knows by heart where an open file lies.
        found = self.path.stat()
        self._file = self._file or found
        if not os.path.samestat(found, self._file):
            raise OSError("another file is in its place")

    def size(self, connection: Connection) -> int:
        log = self.path.with_name(f"{self.path.name}-wal")
        return sum(path.stat().st_size for path in (self.path, log) if path.exists())

    def flaws(self, connection: Connection) -> Sequence[str]:
        told = connection.exec_driver_sql(f"PRAGMA integrity_check({_FLAWS_MOST})").scalars()
        found = [f"SQLite finds: {flaw}." for flaw in told if flaw != "ok"]
        if connection.exec_driver_sql(_SEARCH_INDEX_DIFFERS).scalar_one():
            found.append("The search index knows other entries than there are.")
        return found

    def is_full(self, error: Exception) -> bool:
        return _told(error, "sqlite_errorname") == "SQLITE_FULL"

    def is_conflict(self, error: Exception) -> bool:
        return False  # who waits for a lock in vain has waited as long as it may


class Postgresql(Dialect):
    """A server; whoever changes something locks the row of todo_store first."""

    begin_change = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    begin_snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    after_load = tuple(f"ANALYZE {table}" for table in metadata.tables)  # or plans are bad

    def __init__(self, url: str) -> None:
        self._url = url
        self.search = PostgresqlSearch()

    @property
    def place(self) -> str:
        url = urlsplit(self._url)
        return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()

    @property
    def engine_url(self) -> URL:
        return URL.create("postgresql+asyncpg")

    def connect_arguments(self, options: StorageOptions) -> Mapping[str, object]:
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

    def prepare(self, connection: DBAPIConnection, _entry: object) -> None:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.close()

    def check(self) -> None:
        pass  # a server knows where its files are

    def size(self, connection: Connection) -> int:
        size: int = connection.exec_driver_sql(_SIZE, (list(metadata.tables),)).scalar_one()
        return size

    def flaws(self, connection: Connection) -> Sequence[str]:
        return ()  # it has no such question

    def is_full(self, error: Exception) -> bool:
        return _told(error, "sqlstate") == "53100"  # disk_full

    def is_conflict(self, error: Exception) -> bool:
        return _told(error, "sqlstate") in ("40001", "40P01")  # serialisation, deadlock


def _told(error: Exception, name: str) -> object:
    """Answer what a driver's own error says under a name, if it does."""
    return getattr(error.orig, name, None) if isinstance(error, DBAPIError) else None
