"""Opening an SQL storage: what has to be right before anything is read or written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connections import FAILURES, Connections, brief
from myapp.infrastructure.database.sql.dialects import Dialect, Postgresql, Sqlite
from myapp.infrastructure.database.sql.migrating import check_schema, upgrade
from myapp.infrastructure.database.sql.postgresql_server import (
    check_server,
    drop_former_index,
    make_search_index,
    warn_of_slow_searches,
)
from myapp.infrastructure.database.sql.sql_todo_entry_repository import (
    SqlTodoEntryRepository,
)
from myapp.infrastructure.database.sql.sqlite_file import make_ready
from myapp.infrastructure.database.sql.todo_entry_writer import TodoEntryWriter

_MIGRATING = 0x746F646F  # the number of the lock that only one migration holds


@asynccontextmanager
async def open_sql_storage(
    dialect: Dialect, options: StorageOptions
) -> AsyncIterator[SqlTodoEntryRepository]:
    """Answer the entries in a database; on leaving, what was saved is kept.

    An SQLite file is made, or migrated, if need be; PostgreSQL is not. Raises
    StorageUnusable, StorageOutdated, UnsupportedStorage.
    """
    if isinstance(dialect, Sqlite):
        await migrate(dialect, options)
    async with connected(dialect, options) as connections:
        writer = TodoEntryWriter(connections)
        try:
            yield SqlTodoEntryRepository(connections, writer)
        finally:
            await writer.close()


@asynccontextmanager
async def connected(dialect: Dialect, options: StorageOptions) -> AsyncIterator[Connections]:
    """Answer connections to a database whose tables this release can use.

    Raises StorageUnusable, StorageOutdated, UnsupportedStorage.
    """

    def check(connection: Connection) -> None:
        if isinstance(dialect, Postgresql):
            check_server(connection, dialect.place)
        check_schema(connection, dialect.place)
        if isinstance(dialect, Postgresql):
            warn_of_slow_searches(connection, dialect.place)

    with usable(dialect):
        await dialect.run_sync(check, options)
    connections = Connections(dialect, options)
    try:
        yield connections
    finally:
        await connections.close()


async def migrate(dialect: Dialect, options: StorageOptions) -> None:
    """Bring a database to the newest schema, in one transaction; raises StorageUnusable."""
    with usable(dialect):
        if isinstance(dialect, Sqlite):
            await asyncio.to_thread(make_ready, dialect.path, options.statement_timeout)
        else:
            unhurried = replace(options, statement_timeout=0)
            await dialect.run_sync(partial(_migrate_server, dialect), unhurried)


def _migrate_server(dialect: Dialect, connection: Connection) -> None:
    check_server(connection, dialect.place)
    # The index has a transaction of its own, since a user may not be allowed to make it; and
    # both the lock: two that create what does not exist fail each other, even IF NOT EXISTS.
    for work in (upgrade, make_search_index):
        connection.execute(dialect.begin_change)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        work(connection)
        connection.exec_driver_sql("COMMIT")
    drop_former_index(connection)


@contextmanager
def usable(
    dialect: Dialect, failures: tuple[type[Exception], ...] = (*FAILURES, UnicodeError)
) -> Iterator[None]:
    """Raise StorageUnusable for these failures of a database, or of the name of its host."""
    try:
        yield
    except failures as error:
        raise StorageUnusable(dialect.place, brief(error)) from error
