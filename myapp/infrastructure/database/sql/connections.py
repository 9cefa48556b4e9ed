"""A pool of connections to a database, and its failures in the words of the domain."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg
from sqlalchemy import ClauseElement, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from myapp.domain.errors import StorageFull, StorageUnavailable, TodoError
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.running_storage import Pool
from myapp.infrastructure.database.sql.connection import Connection, Rows, Step, Steps
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.shared_reads import SharedReads
from myapp.infrastructure.database.sql.statements import Values

Answer = TypeVar("Answer")

_COMMIT = text("COMMIT")

_log = logging.getLogger(__name__)


class NoConnectionFree(Exception):
    """All connections were in use for as long as somebody may wait for one."""


class CommitFailed(Exception):
    """The database did not confirm a commit, which may or may not have happened."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"a commit was not confirmed: {brief(error)}")
        self.error = error


DATABASE_FAILURES = (
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
    NoConnectionFree,
    CommitFailed,
)
"""What is raised when a database does not do as told, and by nothing else."""

FAILURES = (*DATABASE_FAILURES, OSError)
"""What is raised when a database cannot be reached, or does not do as told."""

_LOST = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # once a server has taken leave of an idle connection
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Connections:
    """Up to `pool_size` connections to one database, made when they are needed.

    A statement is a transaction of its own unless it stands in `transact`, `transaction` or
    `snapshot`.
    """

    def __init__(self, dialect: Dialect, options: StorageOptions) -> None:
        self.dialect = dialect
        self._options = options
        self._free = asyncio.Semaphore(options.pool_size)
        self._idle: list[Connection] = []
        self._closing: set[asyncio.Future[object]] = set()  # those that were dropped
        self._reads = SharedReads(self.connect) if dialect.shares_reads else None
        self._in_use = 0
        self._timeouts = 0

    @property
    def pool(self) -> Pool:
        """How the connections are used now."""
        return Pool(self._options.pool_size, self._in_use, self._timeouts)

    async def close(self) -> None:
        """Close all connections, or leave them if the database does not answer."""
        patience = self._options.connection_timeout
        try:
            async with asyncio.timeout(patience):
                while self._idle:
                    await self._idle[-1].close()
                    self._idle.pop()
            if self._closing:  # what they are doing may take longer, as waiting for a lock
                await asyncio.wait(self._closing, timeout=patience)
        except FAILURES as error:
            self.log(error)
            self._drop_idle()

    async def fetch(self, statement: ClauseElement, values: Values) -> Rows:
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

    async def transact(self, steps: Steps[Answer]) -> Answer:
        """Take the steps, all of whose changes are committed in the end, or none of them.

        Raises what the libraries raise, and CommitFailed.
        """
        self.dialect.check()
        async with self.connect() as connection:
            return await connection.run(_committed(self.dialect.begin_change, steps))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Answer a connection whose changes are all committed in the end, or none of them.

        Raises what the libraries raise.
        """
        self.dialect.check()
        async with self._begun(self.dialect.begin_change) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Answer a connection that sees the database as it is now, until the end."""
        async with self._begun(self.dialect.begin_snapshot) as connection:
            yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Answer a connection on which each statement is a transaction."""
        await self._wait_for_a_free_one()
        self._in_use += 1
        try:
            connection = await self._take()
            try:
                yield connection
            except BaseException as error:
                # Whatever state it is in, nobody is to find it so.
                self._drop(connection)
                if isinstance(error, FAILURES) and is_lost(error):
                    self._drop_idle()  # which have hardly fared better
                raise
            self._idle.append(connection)
        finally:
            self._in_use -= 1
            self._free.release()

    def log(self, error: Exception) -> None:
        """Tell the operator of a failure."""
        self._timeouts += isinstance(error, NoConnectionFree)
        _log.error("%s: %s", self.dialect.place, brief(error))

    def refusal(self, error: Exception) -> TodoError:
        """Answer what a caller hears of a failure."""
        cause = error.error if isinstance(error, CommitFailed) else error
        if self.dialect.is_full(cause):
            return StorageFull()
        return StorageUnavailable("The database cannot answer now.")

    async def _fetch(self, statement: ClauseElement, values: Values) -> Rows:
        if self._reads is not None:
            return await self._reads.fetch(statement, values)
        async with self.connect() as connection:
            return await connection.fetch(statement, values)

    async def _wait_for_a_free_one(self) -> None:
        if not self._free.locked():  # then no timer is needed
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._options.connection_timeout):
                await self._free.acquire()
        except TimeoutError as error:
            raise NoConnectionFree("no connection was free in time") from error

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_lost:
                return connection
        return await self.dialect.connect(self._options)

    def _drop_idle(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _drop(self, connection: Connection) -> None:
        closed = connection.drop()
        self._closing.add(closed)
        closed.add_done_callback(self._closing.discard)

    @asynccontextmanager
    async def _begun(self, begin: ClauseElement) -> AsyncIterator[Connection]:
        async with self.connect() as connection:
            await connection.fetch(begin, {})
            yield connection
            await connection.fetch(_COMMIT, {})


def is_lost(error: Exception) -> bool:
    """Whether a failure is that of a connection which was lost."""
    return isinstance(error, _LOST)


def brief(error: Exception) -> str:
    """Answer the first line of a library's error: what follows tells values and rows."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def _committed(begin: ClauseElement, steps: Steps[Answer]) -> Steps[Answer]:
    yield Step(begin)
    answer = yield from steps
    try:
        yield Step(_COMMIT)
    except FAILURES as error:
        raise CommitFailed(error) from error
    return answer
