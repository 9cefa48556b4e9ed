"""SQLite: a file that is opened, and one writer at a time."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import text

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connection import Connection, Step, Steps
from myapp.infrastructure.database.sql.dialect import Answer, Dialect, told
from myapp.infrastructure.database.sql.migrating import check_schema
from myapp.infrastructure.database.sql.sqlite_connection import SqliteConnection
from myapp.infrastructure.database.sql.sqlite_file import borrowed, check_presence, make_ready
from myapp.infrastructure.database.sql.sqlite_log import keep_log
from myapp.infrastructure.database.sql.text_search import ONE_PIECE, SqliteSearch

_BESIDE = ("-wal", "-shm", "-journal")  # SQLite's own files, by what ends their names
_FOR_EVER = 86_400.0
_FLAWS_MOST = 100
_INTEGRITY = text(f"PRAGMA integrity_check({_FLAWS_MOST})")


class Sqlite(Dialect):
    """A file; writers of all processes wait for each other, readers wait for nobody."""

    shares_reads = True  # since they are made in threads, which is most of what one takes
    limits_halves = False  # it reads only what it merges, unless each has a limit of its own
    migrates_at_start = True
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

    def check_presence(self) -> None:
        check_presence(self.path)

    def check_usable(self, connection: sa.Connection) -> None:
        check_schema(connection, self.place)

    async def migrate(self, options: StorageOptions) -> None:
        await asyncio.to_thread(make_ready, self.path, options.statement_timeout)

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
        keep_log(file)
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
        return [f"SQLite finds: {flaw}." for (flaw,) in told if flaw != "ok"]

    def is_full(self, error: Exception) -> bool:
        return told(error, "sqlite_errorname") == "SQLITE_FULL"

    def is_damage(self, error: Exception) -> bool:
        return str(told(error, "sqlite_errorname")).startswith("SQLITE_CORRUPT")

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
