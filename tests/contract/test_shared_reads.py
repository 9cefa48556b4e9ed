"""SQLite only: reads that come together are made by one thread, and none suffers from that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import TextClause, text

from myapp.domain.errors import StorageUnavailable
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connections import Connections
from myapp.infrastructure.database.sql.opening import connected, migrate
from myapp.infrastructure.database.sql.sqlite_connection import SqliteConnection, _CallingThread
from myapp.infrastructure.database.sql.sqlite_dialect import Sqlite

PATIENCE = 20.0

_OPTIONS = StorageOptions(pool_size=5, connection_timeout=0.5)
_SHORT = text("SELECT 7")
_WRONG = text("SELECT abs(-9223372036854775808)")  # fails when it is executed
_ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT max(i) FROM n"
)
_LONG = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    " SELECT max(i) FROM n"
)


@pytest.fixture
async def connections(tmp_path: Path) -> AsyncIterator[Connections]:
    """Connections to an empty storage, five at most."""
    dialect = Sqlite(tmp_path / "todos.db")
    await migrate(dialect, _OPTIONS)
    async with connected(dialect, _OPTIONS) as opened:
        yield opened


async def _value(connections: Connections, statement: TextClause) -> object:
    async with asyncio.timeout(PATIENCE):
        ((value,),) = await connections.fetch(statement, {})
    return value


async def test_each_of_many_reads_gets_its_own_answer(connections: Connections) -> None:
    number = text("SELECT :number")
    rows = await asyncio.gather(
        *(connections.fetch(number, {"number": count}) for count in range(200))
    )
    assert [value for ((value,),) in rows] == [*range(200)]


async def test_reads_that_come_together_need_one_connection(connections: Connections) -> None:
    await _value(connections, _SHORT)  # to connect takes longer than others wait
    reading = [asyncio.create_task(_value(connections, _SHORT)) for _ in range(200)]
    most = 0
    while not all(read.done() for read in reading):
        most = max(most, connections.pool.in_use)
        await asyncio.sleep(0)
    assert most < 5


async def test_those_that_came_together_do_so_again(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    call = _CallingThread.call

    def told(thread: _CallingThread, function: Callable[[], object]) -> asyncio.Future[object]:
        calls.append(function)
        return call(thread, function)

    monkeypatch.setattr(_CallingThread, "call", told)

    async def read_after(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await _value(connections, _SHORT)

    await asyncio.gather(*(_value(connections, _SHORT) for _ in range(10)))
    calls.clear()
    await asyncio.gather(*map(read_after, range(10)))

    assert len(calls) == 1


async def test_a_read_that_takes_long_keeps_no_others_waiting(connections: Connections) -> None:
    statements = [_LONG, _SHORT, _ENDLESS, _SHORT, _SHORT]
    reads = [asyncio.create_task(_value(connections, statement)) for statement in statements]
    long, first, endless, *others = reads

    assert await asyncio.gather(first, *others) == [7, 7, 7]
    assert await long == 300_000
    assert await _value(connections, _SHORT) == 7
    assert not endless.done()
    endless.cancel()
    await asyncio.wait([endless])
    assert connections.pool.in_use == 0


async def test_a_read_that_is_given_up_takes_no_other_with_it(connections: Connections) -> None:
    reads = [asyncio.create_task(_value(connections, _LONG)) for _ in range(6)]
    for read in reads[1:5]:
        await asyncio.sleep(0.003)
        read.cancel()

    assert await reads[0] == await reads[5] == 300_000
    await asyncio.wait(reads)
    assert connections.pool.in_use == 0


async def test_a_read_that_fails_fails_alone(connections: Connections) -> None:
    statements = [_LONG, _SHORT, _WRONG, _SHORT, _WRONG, _SHORT]
    answers = await asyncio.gather(
        *(_value(connections, statement) for statement in statements), return_exceptions=True
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [int, int, StorageUnavailable, int, StorageUnavailable, int]


async def test_without_a_free_connection_all_reads_are_told(connections: Connections) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(_OPTIONS.pool_size):
            await stack.enter_async_context(connections.connect())
        answers = await asyncio.gather(
            *(_value(connections, _SHORT) for _ in range(5)), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 5
    assert connections.pool.timeouts == 5
    assert await _value(connections, _SHORT) == 7


async def test_without_a_free_connection_those_that_come_together_hear_so_together(
    connections: Connections,
) -> None:
    await asyncio.gather(*(_value(connections, _SHORT) for _ in range(5)))
    async with AsyncExitStack() as stack:
        for _ in range(_OPTIONS.pool_size):
            await stack.enter_async_context(connections.connect())
        reads = [asyncio.create_task(_value(connections, _SHORT)) for _ in range(5)]
        await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert all(read.done() for read in reads)

    assert [type(read.exception()) for read in reads] == [StorageUnavailable] * 5


async def test_who_came_later_may_yet_get_a_connection(connections: Connections) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(_OPTIONS.pool_size):
            await stack.enter_async_context(connections.connect())
        early = [asyncio.create_task(_value(connections, _SHORT)) for _ in range(3)]
        await asyncio.sleep(0.8 * _OPTIONS.connection_timeout)
        late = asyncio.create_task(_value(connections, _SHORT))
        await asyncio.wait(early)
    assert [type(read.exception()) for read in early] == [StorageUnavailable] * 3
    assert await late == 7


async def test_who_closes_the_connections_waits_for_those_that_were_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[SqliteConnection] = []
    close = SqliteConnection._close

    def close_slowly(connection: SqliteConnection) -> None:
        sleep(0.2)
        close(connection)
        closed.append(connection)

    monkeypatch.setattr(SqliteConnection, "_close", close_slowly)
    dialect = Sqlite(tmp_path / "todos.db")
    await migrate(dialect, _OPTIONS)
    async with connected(dialect, _OPTIONS) as connections:
        with pytest.raises(StorageUnavailable):
            await _value(connections, _WRONG)
    assert len(closed) == 1
