"""Opening an SQL storage: what has to be right before anything is read or written."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connections import FAILURES, Connections, brief
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.sql_todo_entry_repository import (
    SqlTodoEntryRepository,
)
from myapp.infrastructure.database.sql.todo_entry_writer import TodoEntryWriter


@asynccontextmanager
async def open_sql_storage(
    dialect: Dialect, options: StorageOptions
) -> AsyncIterator[SqlTodoEntryRepository]:
    """Answer the entries in a database; on leaving, what was saved is kept.

    An SQLite file is made, or migrated, if need be; PostgreSQL is not. Raises
    StorageUnusable, StorageOutdated, UnsupportedStorage.
    """
    if dialect.migrates_at_start:
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
    with usable(dialect):
        await dialect.run_sync(dialect.check_usable, options)
    connections = Connections(dialect, options)
    try:
        yield connections
    finally:
        await connections.close()


async def migrate(dialect: Dialect, options: StorageOptions) -> None:
    """Bring a database to the newest schema, in one transaction; raises StorageUnusable."""
    with usable(dialect):
        await dialect.migrate(options)


@contextmanager
def usable(
    dialect: Dialect, failures: tuple[type[Exception], ...] = (*FAILURES, UnicodeError)
) -> Iterator[None]:
    """Raise StorageUnusable for these failures of a database, or of the name of its host."""
    try:
        yield
    except failures as error:
        raise StorageUnusable(dialect.place, brief(error)) from error
