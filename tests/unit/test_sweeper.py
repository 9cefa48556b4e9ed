"""The sweeper: it sweeps now and then, and goes on whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import pytest

from myapp.application.sweeper import sweep_regularly
from myapp.application.todo_service import TodoService
from myapp.domain.errors import HistoryForgotten, StorageUnavailable
from tests.contract.entries import new_entry
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import service_on


class SweptRepository(InMemoryTodoEntryRepository):
    """Knows how often it was swept, and can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._swept = asyncio.Event()

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        self._swept.set()
        if self.error is not None:
            raise self.error
        await super().forget(keep=keep, receipts_before=receipts_before)

    async def swept(self, times: int = 1) -> None:
        """Wait until it is swept so many times more."""
        async with asyncio.timeout(60):
            for _ in range(times):
                self._swept.clear()
                await self._swept.wait()


@pytest.fixture
def repository() -> SweptRepository:
    """A repository without entries."""
    return SweptRepository()


@asynccontextmanager
async def sweeping(service: TodoService) -> AsyncIterator[None]:
    """Sweep very often meanwhile."""
    task = asyncio.create_task(sweep_regularly(service, every=0.001))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_all_changes_but_those_asked_for_are_dropped_again_and_again(
    repository: SweptRepository,
) -> None:
    async with sweeping(service_on(repository, kept_changes=2)):
        for last in (3, 6):
            await repository.save(*(new_entry() for _ in range(3)))
            await repository.swept(2)

            assert (await repository.change(last - 1)).revision == last - 1
            with pytest.raises(HistoryForgotten):
                await repository.change(last - 2)


@pytest.mark.parametrize(
    ("error", "level", "has_traceback", "message"),
    [
        (
            StorageUnavailable("The storage is being moved."),
            "WARNING",
            False,
            "old changes cannot be dropped now: The storage is being moved.",
        ),
        (ValueError("a mistake"), "ERROR", True, "old changes could not be dropped"),
    ],
)
async def test_a_sweep_that_fails_is_logged_and_made_up_for(
    repository: SweptRepository,
    error: Exception,
    level: str,
    has_traceback: bool,
    message: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await repository.save(new_entry())
    async with sweeping(service_on(repository, kept_changes=0)):
        repository.error = error
        await repository.swept(2)
        repository.error = None
        await repository.swept(2)

    with pytest.raises(HistoryForgotten):
        await repository.change(1)
    record = caplog.records[0]
    assert (record.levelname, bool(record.exc_info)) == (level, has_traceback)
    assert record.getMessage() == message
