"""What SQLite and PostgreSQL do differently: connecting, locking, searching, failing."""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Executable,
    Select,
    Text,
    bindparam,
    column,
    func,
    select,
    table,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.queries import Condition, Texts, TextSearch, Upkeep
from myapp.infrastructure.database.sql.schema import metadata, todo_entry

_IDLE_MOST = 60_000  # milliseconds that others wait for a process which has fallen silent
_FOR_EVER = 86_400.0
_FLAWS_MOST = 100
_MATCHED_MOST = 30  # code points; FTS5 takes time for each, times the length of a text
_SEARCH_INDEX_DIFFERS = (
    "SELECT (SELECT count(*) FROM todo_entry_search_docsize)"
    " <> (SELECT count(*) FROM todo_entry)"
)
_SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint"
    " FROM unnest($1::text[]) AS name"
)

_FORGET_TEXT = text(
    "INSERT INTO todo_entry_search (todo_entry_search, rowid, search_text)"
    " VALUES ('delete', :number, :text)"
)
_FORGET_EVERYTHING = text(
    "INSERT INTO todo_entry_search (todo_entry_search) VALUES ('delete-all')"
)
_INDEX_TEXT = text("INSERT INTO todo_entry_search (rowid, search_text) VALUES (:number, :text)")
_PATTERN = bindparam("pattern", type_=Text)
_WANTED = bindparam("wanted", type_=Text)


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
        """Set up a new connection."""

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
        self.search = _SqliteSearch()

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def engine_url(self) -> URL:
        return URL.create("sqlite+aiosqlite", database=str(self.path))

    def connect_arguments(self, options: StorageOptions) -> Mapping[str, object]:
        return {"timeout": options.statement_timeout or _FOR_EVER}

    def prepare(self, connection: DBAPIConnection, _entry: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -16000")  # 16 MB
        if sys.platform == "darwin":  # where fsync alone does not reach the disk
            cursor.execute("PRAGMA fullfsync = ON")
            cursor.execute("PRAGMA checkpoint_fullfsync = ON")
        cursor.close()

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
        self.search = _PostgresqlSearch()

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

    def size(self, connection: Connection) -> int:
        size: int = connection.exec_driver_sql(_SIZE, (list(metadata.tables),)).scalar_one()
        return size

    def flaws(self, connection: Connection) -> Sequence[str]:
        return ()  # it has no such question

    def is_full(self, error: Exception) -> bool:
        return _told(error, "sqlstate") == "53100"  # disk_full

    def is_conflict(self, error: Exception) -> bool:
        return _told(error, "sqlstate") in ("40001", "40P01")  # serialisation, deadlock


class _SqliteSearch(TextSearch):
    """By FTS5 with its trigram tokenizer.

    No trigger keeps the index: SQLite would write it out for each row by itself, which
    made adding entries five times as slow.
    """

    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        return (
            (_FORGET_TEXT, [{"number": n, "text": text} for n, text in before.items()]),
            (_INDEX_TEXT, [{"number": n, "text": text} for n, text in after.items()]),
        )

    def clearing(self) -> Sequence[Executable]:
        return (_FORGET_EVERYTHING,)

    def contains(self, search_text: ColumnElement[str]) -> Condition:
        return func.instr(search_text, _WANTED) > 0

    def numbers(self) -> Select[tuple[int]]:
        index = table("todo_entry_search", column("rowid"), column("search_text"))
        found = index.c.search_text.op("MATCH")(_PATTERN)
        # It takes some characters for each other, and knows but the beginning of the pattern.
        return select(index.c.rowid).where(found, self.contains(index.c.search_text))

    def pattern(self, wanted: str) -> str:
        quoted = wanted[:_MATCHED_MOST].replace('"', '""')
        return f'"{quoted}"'


class _PostgresqlSearch(TextSearch):
    """By an index of the extension pg_trgm, where there is one."""

    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        return ()

    def clearing(self) -> Sequence[Executable]:
        return ()

    def contains(self, search_text: ColumnElement[str]) -> Condition:
        return func.strpos(search_text, _WANTED) > 0

    def numbers(self) -> Select[tuple[int]]:
        return select(todo_entry.c.number).where(todo_entry.c.search_text.like(_PATTERN))

    def pattern(self, wanted: str) -> str:
        escaped = re.sub(r"([\\%_])", r"\\\1", wanted)
        return f"%{escaped}%"


def _told(error: Exception, name: str) -> object:
    """Answer what a driver's own error says under a name, if it does."""
    return getattr(error.orig, name, None) if isinstance(error, DBAPIError) else None
