"""A pool of connections to a database, and its failures in the words of the domain."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Executable, QueuePool, Row, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from myapp.domain.errors import StorageFull, StorageUnavailable, TodoError
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.running_storage import Pool
from myapp.infrastructure.database.sql.dialects import Dialect

_log = logging.getLogger(__name__)

Rows = Sequence[Row[*tuple[Any, ...]]]  # what they hold is known to who wrote the select


class CommitFailed(Exception):
    """The database did not confirm a commit, which may or may not have happened."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"a commit was not confirmed: {brief(error)}")
        self.error = error


DATABASE_FAILURES = (SQLAlchemyError, CommitFailed)
"""What is raised when a database does not do as told, and by nothing else."""

FAILURES = (*DATABASE_FAILURES, OSError)
"""What is raised when a database cannot be reached, or does not do as told."""


class Connections:
    """Up to `pool_size` connections to one database, made when they are needed.

    A statement is a transaction of its own unless it stands in `transaction` or `snapshot`.
    """

    def __init__(self, dialect: Dialect, options: StorageOptions) -> None:
        self.dialect = dialect
        self._patience = options.connection_timeout
        self._engine: AsyncEngine = create_async_engine(
            dialect.engine_url,
            connect_args=dict(dialect.connect_arguments(options)),
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            hide_parameters=True,
            pool_size=options.pool_size,
            max_overflow=0,
            pool_timeout=options.connection_timeout,
        )
        event.listen(self._engine.sync_engine, "connect", dialect.prepare)
        self._pool_size = options.pool_size
        self._timeouts = 0

    @property
    def pool(self) -> Pool:
        """How the connections are used now."""
        pool = self._engine.pool  # of this kind, unless somebody asks for another
        in_use = pool.checkedout() if isinstance(pool, QueuePool) else 0
        return Pool(self._pool_size, in_use, self._timeouts)

    async def close(self) -> None:
        """Close all connections, or leave them if the database does not answer."""
        try:
            async with asyncio.timeout(self._patience):
                await self._engine.dispose()
        except TimeoutError as error:
            self.log(error)
            await self._engine.dispose(close=False)

    async def fetch(self, statement: Executable, values: Mapping[str, object]) -> Rows:
        """Answer the rows of a select; raises StorageUnavailable.

        A connection that has been lost since it was last used is replaced by a new one.
        """
        try:
            try:
                return await self._fetch(statement, values)
            except FAILURES as error:
                if not is_lost(error):
                    raise
                return await self._fetch(statement, values)
        except FAILURES as error:
            self.log(error)
            raise self.refusal(error) from error

    def connect(self) -> AsyncConnection:
        """Answer a connection to be entered, on which each statement is a transaction."""
        return self._engine.connect()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Answer a connection whose changes are all committed in the end, or none of them.

        Raises what the libraries raise, and CommitFailed.
        """
        self.dialect.check()
        async with self._begun(self.dialect.begin_change) as connection:
            yield connection
            try:
                await connection.exec_driver_sql("COMMIT")
            except FAILURES as error:
                raise CommitFailed(error) from error

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Answer a connection that sees the database as it is now, until the end."""
        async with self._begun(self.dialect.begin_snapshot) as connection:
            yield connection
            await connection.exec_driver_sql("COMMIT")

    def log(self, error: Exception) -> None:
        """Tell the operator of a failure."""
        self._timeouts += isinstance(error, PoolTimeout)
        _log.error("%s: %s", self.dialect.place, brief(error))

    def refusal(self, error: Exception) -> TodoError:
        """Answer what a caller hears of a failure."""
        cause = error.error if isinstance(error, CommitFailed) else error
        if self.dialect.is_full(cause):
            return StorageFull("There is no space left to store anything.")
        return StorageUnavailable("The database cannot answer now.")

    async def _fetch(self, statement: Executable, values: Mapping[str, object]) -> Rows:
        async with self._engine.connect() as connection:
            try:
                return (await connection.execute(statement, values)).all()
            except BaseException:
                await connection.invalidate()
                raise

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            try:
                await connection.exec_driver_sql(begin)
                yield connection
            except BaseException:
                # Whatever state it is in, nobody is to find it so.
                await connection.invalidate()
                raise


def is_lost(error: Exception) -> bool:
    """Whether a failure is that of a connection which was lost."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, ConnectionError)


def brief(error: Exception) -> str:
    """Answer the first line of a library's error: what follows tells values and rows."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
