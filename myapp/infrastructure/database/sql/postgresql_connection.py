"""A connection to a PostgreSQL server."""

import asyncio
from typing import TypeVar

import asyncpg
from sqlalchemy import URL, ClauseElement

from myapp.infrastructure.database.sql.connection import Connection, Rows, Step, Steps
from myapp.infrastructure.database.sql.statements import Statements, Values

Answer = TypeVar("Answer")

_statements = Statements(URL.create("postgresql+asyncpg").get_dialect()())


class PostgresqlConnection(Connection):
    """A step goes to the server and back once, with all its values."""

    def __init__(self, driver: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._driver = driver

    async def fetch(self, statement: ClauseElement, values: Values) -> Rows:
        text, places = _statements.fill(statement, values)
        return await self._driver.fetch(text, *places)

    async def run(self, steps: Steps[Answer]) -> Answer:
        try:
            step = next(steps)
            while True:
                try:
                    rows = await self._execute(step)
                except Exception as error:  # whatever it is, it is for the steps to hear of
                    step = steps.throw(error)
                else:
                    step = steps.send(rows)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    @property
    def is_lost(self) -> bool:
        return self._driver.is_closed()

    async def close(self) -> None:
        await self._driver.close()

    def drop(self) -> asyncio.Future[object]:
        self._driver.terminate()
        closed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        closed.set_result(None)
        return closed

    async def _execute(self, step: Step) -> Rows:
        if len(step.values) == 1:
            return await self.fetch(step.statement, step.values[0])
        await self._driver.executemany(*_statements.fill_each(step.statement, step.values))
        return ()
