"""Who is served together: whoever comes as long as others do, until enough wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from myapp.infrastructure.database.gathering import let_more_come


@asynccontextmanager
async def coming(waiting: list[int], *, every: int) -> AsyncIterator[None]:
    """Let another one wait whenever the event loop has turned so many times."""

    async def come() -> None:
        while True:
            for _ in range(every):
                await asyncio.sleep(0)
            waiting.append(1)

    task = asyncio.create_task(come())
    try:
        yield
    finally:
        task.cancel()


async def test_whoever_waits_alone_does_so_for_two_turns() -> None:
    turns = asyncio.create_task(let_more_come([1]))
    await asyncio.sleep(0)  # it begins

    await asyncio.sleep(0)
    assert not turns.done()
    await asyncio.sleep(0)
    assert turns.done()


async def test_nobody_waits_for_ever_while_others_keep_coming() -> None:
    waiting = [1]

    async with coming(waiting, every=1):
        async with asyncio.timeout(10):
            await let_more_come(waiting)

    assert 64 <= len(waiting) <= 65


async def test_nobody_waits_for_those_that_come_seldom() -> None:
    waiting = [1]

    async with coming(waiting, every=10):
        await let_more_come(waiting)

    assert len(waiting) == 1


async def test_nobody_waits_if_enough_do() -> None:
    waiting = [1] * 64

    async with coming(waiting, every=1):
        await let_more_come(waiting)

    assert len(waiting) == 64
