"""PostgreSQL: a server that is connected to, and many writers."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import sqlalchemy as sa
from sqlalchemy import URL, NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connection import Connection, Steps
from myapp.infrastructure.database.sql.dialect import Answer, Dialect, told
from myapp.infrastructure.database.sql.migrating import check_schema, upgrade
from myapp.infrastructure.database.sql.postgresql_connection import PostgresqlConnection
from myapp.infrastructure.database.sql.postgresql_server import (
    check_server,
    drop_former_index,
    make_search_index,
    warn_of_slow_searches,
)
from myapp.infrastructure.database.sql.schema import metadata
from myapp.infrastructure.database.sql.text_search import PostgresqlSearch

_MIGRATING = 0x746F646F  # the number of the lock that only one migration holds
_IDLE_MOST = 60_000  # milliseconds that others wait for a process which has fallen silent
_WAIT_FOR_COMMITS = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
_SIZE = text(
    "SELECT CAST(coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) AS bigint)"
    " FROM unnest(CAST(:names AS text[])) AS name"
)


class Postgresql(Dialect):
    """A server; whoever changes something locks the row of todo_store first."""

    shares_reads = False  # a connection waits for the server, and others need not
    limits_halves = True  # or it sorts all of each, not knowing how few are wanted
    migrates_at_start = False  # processes of the older release may be at work
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

    def check_presence(self) -> None:
        pass  # connecting tells

    def check_usable(self, connection: sa.Connection) -> None:
        check_server(connection, self.place)
        check_schema(connection, self.place)
        warn_of_slow_searches(connection, self.place)

    async def migrate(self, options: StorageOptions) -> None:
        await self.run_sync(self._migrate, replace(options, statement_timeout=0))

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
        return told(error, "sqlstate") == "53100"  # disk_full

    def is_damage(self, error: Exception) -> bool:
        return told(error, "sqlstate") in ("XX001", "XX002")  # of data, of an index

    def is_conflict(self, error: Exception) -> bool:
        return told(error, "sqlstate") in ("40001", "40P01")  # serialisation, deadlock

    def _migrate(self, connection: sa.Connection) -> None:
        check_server(connection, self.place)
        # The index has a transaction of its own, since a user may not be allowed to make it;
        # and both the lock: two that create what does not exist fail each other, even IF NOT
        # EXISTS.
        for work in (upgrade, make_search_index):
            connection.execute(self.begin_change)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
            work(connection)
            connection.exec_driver_sql("COMMIT")
        drop_former_index(connection)

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
