"""A connection to an SQLite file, with a thread of its own for all that it does there."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import URL, ClauseElement

from myapp.infrastructure.database.sql.connection import Connection, Rows, Step, Steps, take
from myapp.infrastructure.database.sql.sqlite_log import Checkpoints
from myapp.infrastructure.database.sql.statements import Statements, Values

Answer = TypeVar("Answer")

_Call = tuple[Callable[[], Any], asyncio.Future[Any]]  # of whatever they answer

_statements = Statements(URL.create("sqlite").get_dialect()())


class SqliteConnection(Connection):
    """Each call is made in the thread as a whole, since every way there and back takes time."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._file: sqlite3.Connection | None = None
        self._checkpoints = Checkpoints(connect)
        self._thread = _CallingThread()

    async def open(self) -> None:
        """Connect, and answer once that is done."""
        try:
            await self._thread.call(self._open)
        except BaseException:
            self.drop()
            raise

    async def fetch(self, statement: ClauseElement, values: Values) -> Rows:
        return await self._call(lambda: self._fetch(statement, values))

    async def run(self, steps: Steps[Answer]) -> Answer:
        return await self._call(lambda: take(steps, self._execute))

    @property
    def is_lost(self) -> bool:
        return False

    async def close(self) -> None:
        await self._thread.end(self._close)

    def drop(self) -> asyncio.Future[object]:
        if self._file is not None:
            with suppress(sqlite3.ProgrammingError):  # it is closed
                self._file.interrupt()
        closed = self._thread.end(self._close)
        closed.add_done_callback(asyncio.Future.exception)  # nobody else wants to hear of it
        return closed

    def _call(self, work: Callable[[], Answer]) -> asyncio.Future[Answer]:
        def do() -> Answer:
            answer = work()
            self._checkpoints.make_one_if_due(self._opened)
            return answer

        return self._thread.call(do)

    def _open(self) -> None:
        self._file = self._connect()
        self._file.row_factory = sqlite3.Row

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _fetch(self, statement: ClauseElement, values: Values) -> Rows:
        return self._opened.execute(*_statements.fill(statement, values)).fetchall()

    def _execute(self, step: Step) -> Rows:
        if len(step.values) == 1:
            return self._fetch(step.statement, step.values[0])
        self._opened.executemany(*_statements.fill_each(step.statement, step.values))
        return ()

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            raise sqlite3.ProgrammingError("the connection was never opened")
        return self._file


class _CallingThread:
    """Makes calls one after the other in a thread of its own, for one event loop.

    An executor took twice the processor's time for each.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        thread = Thread(target=self._make_calls, name="sqlite", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # that is how Python tells of a system's limit
            raise OSError(str(error)) from error

    def call(self, function: Callable[[], Answer]) -> asyncio.Future[Answer]:
        """Answer what the function will answer, or raise."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._calls.put((function, future))
        return future

    def end(self, last: Callable[[], object]) -> asyncio.Future[object]:
        """Make a last call, after all others, and let the thread end."""
        future = self.call(last)
        self._calls.put(None)
        return future

    def _make_calls(self) -> None:
        while self._make_next():
            pass

    def _make_next(self) -> bool:
        if (call := self._calls.get()) is None:
            return False
        function, future = call
        if future.cancelled():  # before it was begun
            return True
        try:
            settle = partial(_answer, future, function())
        except BaseException as error:  # whatever it is, it is for who waits to hear of
            settle = partial(_fail, future, error)
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self._loop.call_soon_threadsafe(settle)
        return True


def _answer(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():  # who has given up does not hear of it
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
