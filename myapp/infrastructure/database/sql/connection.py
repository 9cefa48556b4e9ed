"""What a connection to a database can do, and how work for it is written down."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple, TypeVar

import asyncpg
from sqlalchemy import ClauseElement

from myapp.infrastructure.database.sql.statements import Values

Answer = TypeVar("Answer")

_ONCE: Sequence[Values] = ({},)

Row = sqlite3.Row | asyncpg.Record
"""What a driver answers; what it holds is known to who wrote the select."""

Rows = Sequence[Row]


class Step(NamedTuple):
    """A statement to be executed with each of the values: its rows are read if that is once."""

    statement: ClauseElement
    values: Sequence[Values] = _ONCE


Steps = Generator[Step, Rows, Answer]
"""Work that a connection does step by step, sending back the rows of each, or throwing.

So the same work is done by a driver that waits, and by one that blocks, in a thread.
"""


class Connection(ABC):
    """A connection to a database, whose statements are transactions unless one is begun."""

    @abstractmethod
    async def fetch(self, statement: ClauseElement, values: Values) -> Rows:
        """Answer the rows of a select."""

    @abstractmethod
    async def run(self, steps: Steps[Answer]) -> Answer:
        """Take the steps, and answer what they answer in the end."""

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether it is known that nobody is at its other end any more."""

    @abstractmethod
    async def close(self) -> None:
        """Answer once it is closed."""

    @abstractmethod
    def drop(self) -> asyncio.Future[object]:
        """Have it closed, whatever it is doing; what it has begun is rolled back.

        The answer is done once it is closed; nobody has to wait for that.
        """


def take(steps: Steps[Answer], execute: Callable[[Step], Rows]) -> Answer:
    """Take the steps one after the other, and answer what they answer in the end."""
    try:
        step = next(steps)
        while True:
            try:
                rows = execute(step)
            except Exception as error:  # whatever it is, it is for the steps to hear of
                step = steps.throw(error)
            else:
                step = steps.send(rows)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
