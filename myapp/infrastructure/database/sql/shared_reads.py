"""Reads that share a connection: those that come while one is made are made on one way."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from threading import Lock
from time import monotonic

from sqlalchemy import ClauseElement

from myapp.infrastructure.database.gathering import let_more_come
from myapp.infrastructure.database.sql.connection import Connection, Rows, Step, Steps
from myapp.infrastructure.database.sql.statements import Values

_PATIENCE = 0.005
"""Seconds after which a thread answers what it has read, and others read what waits.

So long Python lets a thread go on if others want to.
"""


class SharedReads:
    """Reads in threads, where the way there and back is most of what a short one takes.

    A read begins at once if none is going on, unless those before it came together, who do so
    again. Those that come meanwhile wait, and then a thread makes them all; if one takes
    long, another thread makes those that wait for it. From 16 clients one entry took half
    of the processor's time that it took when each read had a thread of its own. That the
    first of those who come together waits for the others brings an eighth more entries a
    second to 16 clients, and a quarter to two.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Connection]]) -> None:
        self._connect = connect
        self._waiting: deque[_Read] = deque()
        self._lock = Lock()
        self._trips: dict[_Trip, asyncio.Task[None]] = {}
        self._newest: object = None  # who takes what waits in the end
        self._come_together = False  # those that made the last trip did
        self._alarm: asyncio.TimerHandle | None = None

    async def fetch(self, statement: ClauseElement, values: Values) -> Rows:
        """Answer the rows of a select; raises what the connection raises."""
        if self._newest is None and not self._come_together:
            return await self._read_alone(statement, values)
        read = _Read(statement, values, asyncio.get_running_loop().create_future())
        self._waiting.append(read)
        if self._newest is None:
            self._begin()
        else:
            self._set_alarm()
        try:
            return await read.answer
        except asyncio.CancelledError:
            await self._give_up(read)
            raise

    async def _read_alone(self, statement: ClauseElement, values: Values) -> Rows:
        self._newest = this = object()
        try:
            async with self._connect() as connection:
                return await connection.fetch(statement, values)
        finally:
            self._leave(this)

    def _begin(self) -> None:
        """Let another connection take what waits."""
        self._newest = trip = _Trip(self._waiting, self._lock)
        self._trips[trip] = asyncio.create_task(self._go(trip))
        self._set_alarm()

    async def _go(self, trip: "_Trip") -> None:
        try:
            if self._come_together:
                await let_more_come(self._waiting)
                trip.put_off()
            async with self._connect() as connection:
                await connection.run(trip.steps())
        except Exception as error:  # whatever it is, it is for who waits to hear of
            trip.fail(error)
        finally:
            trip.end()
            self._come_together = trip.count > 1
            del self._trips[trip]
            self._leave(trip)

    def _leave(self, who: object) -> None:
        if self._newest is who:
            self._newest = None
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
        if self._newest is None and self._waiting:
            self._begin()

    def _set_alarm(self) -> None:
        if self._alarm is None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(_PATIENCE, self._look_after, self._first())

    def _look_after(self, first: "_Read | None") -> None:
        """Answer what has been read, and have another take what nobody took meanwhile."""
        self._alarm = None
        for trip in self._trips:
            trip.settle()
        waiting = self._first()
        # Who waits for a connection would only be joined by another who does.
        if waiting is not None and waiting is first and all(t.count for t in self._trips):
            self._begin()
        elif waiting is not None:
            self._set_alarm()

    def _first(self) -> "_Read | None":
        with self._lock:
            return self._waiting[0] if self._waiting else None

    async def _give_up(self, read: "_Read") -> None:
        """Have the read made no longer: a search may take long."""
        for trip, task in [*self._trips.items()]:
            if trip.is_at(read):
                task.cancel()
                await asyncio.wait([task])


class _Read:
    """A statement, and who waits for its rows."""

    __slots__ = ("answer", "came", "rows", "statement", "values")

    def __init__(
        self, statement: ClauseElement, values: Values, answer: asyncio.Future[Rows]
    ) -> None:
        self.statement = statement
        self.values = values
        self.answer = answer
        self.came = monotonic()
        self.rows: Rows | None = None


class _Trip:
    """Reads that a connection makes on one way; its thread takes them from what waits."""

    def __init__(self, waiting: deque[_Read], lock: Lock) -> None:
        self._waiting = waiting
        self._lock = lock
        self._begun = monotonic()
        self._taken: list[_Read] = []
        self._ended = False

    def steps(self) -> Steps[None]:
        """Make the reads that wait, or some of them if they take long."""
        end = monotonic() + _PATIENCE
        while (read := self._take()) is not None:
            if not read.answer.cancelled():
                read.rows = yield Step(read.statement, (read.values,))
            if monotonic() > end:
                return

    def put_off(self) -> None:
        """Learn that it begins only now, for all that wait."""
        self._begun = monotonic()

    @property
    def count(self) -> int:
        """How many reads it has taken."""
        return len(self._taken)

    def is_at(self, read: _Read) -> bool:
        """Whether this read is the one that is made now."""
        return self._taken[-1:] == [read] and read.rows is None

    def settle(self) -> None:
        """Answer those that have been made."""
        for read in self._taken:
            if read.rows is not None and not read.answer.done():
                read.answer.set_result(read.rows)

    def fail(self, error: Exception) -> None:
        """Tell the one that failed, or those whom it was begun for if it got no connection.

        Others have not waited as long, and may yet get one.
        """
        for read in self._taken[-1:] or self._give_up():
            if read.rows is None and not read.answer.done():
                read.answer.set_exception(error)

    def end(self) -> None:
        """Answer what was read; what was taken in vain is for another to read."""
        with self._lock:
            self._ended = True
        self.settle()
        for read in reversed(self._taken):
            if not read.answer.done():
                self._waiting.appendleft(read)

    def _give_up(self) -> Sequence[_Read]:
        """Take whom it was begun for from those that wait, unless another trip has them."""
        with self._lock:
            waiting = [*self._waiting]
            self._waiting.clear()
            self._waiting.extend(read for read in waiting if read.came > self._begun)
        return [read for read in waiting if read.came <= self._begun]

    def _take(self) -> _Read | None:
        with self._lock, suppress(IndexError):
            if not self._ended:
                read = self._waiting.popleft()
                self._taken.append(read)
                return read
        return None
