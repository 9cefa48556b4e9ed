"""A clock that is set back, or jumps ahead, changes times and nothing else."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from myapp.application.todo_service import IdempotencyKey, TodoService
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database.storage import open_storage
from myapp.infrastructure.identity import UuidFactory
from tests.faults.short_ways import MOMENT

_STEPS = [timedelta(hours=hours) for hours in (0, -1, -10_000, 1, 10_000, -1, 0)]


class _Clock:
    """A clock that shows what it is set to, to the service and to what makes its ids."""

    def __init__(self) -> None:
        self.time = MOMENT

    def now(self) -> datetime:
        return self.time

    def time_ns(self) -> int:
        return int(self.time.timestamp()) * 1_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """The only clock that there is."""
    clock = _Clock()
    monkeypatch.setattr("myapp.infrastructure.identity.time_ns", clock.time_ns)
    return clock


@pytest.fixture(params=["pickle", "sqlite"])
async def service(
    request: pytest.FixtureRequest, tmp_path: Path, clock: _Clock
) -> AsyncIterator[TodoService]:
    """A service by that clock."""
    async with open_storage(f"{request.param}:///{tmp_path}/todos") as repository:
        yield TodoService(repository, now=clock.now, new_id=UuidFactory())


async def test_ids_revisions_and_the_history_follow_what_happened_whatever_the_clock_says(
    service: TodoService, clock: _Clock
) -> None:
    entries = []
    for step in _STEPS:
        clock.time = MOMENT + step
        entry = await service.add_entry("x")
        entries.append(await service.change_entry(entry.id, done=True))
        assert entries[-1].created_at == entries[-1].completed_at == clock.time
    assert entries == sorted(entries, key=lambda entry: entry.id)
    assert entries == sorted(entries, key=lambda entry: entry.revision)
    changes = (await service.get_changes(0, limit=100)).changes
    assert [change.revision for change in changes] == list(range(1, 2 * len(_STEPS) + 1))
    assert [change.after for change in changes[1::2]] == entries

    page = await service.find_entries(TodoQuery())
    in_time = sorted(entries, key=lambda entry: (entry.created_at, entry.id))
    assert page.entries == in_time, "created is what the clock said"


async def test_an_entry_can_be_changed_removed_and_restored_before_it_was_created(
    service: TodoService, clock: _Clock
) -> None:
    entry = await service.add_entry("x")
    clock.time -= timedelta(days=1)
    await service.add_tag(entry.id, "early")
    await service.remove_entry(entry.id)
    removal = (await service.get_changes(0, limit=100)).changes[-1]
    change = await service.undo(removal.revision)
    assert change.after.tags == ("early",)
    assert change.after.created_at > change.after.updated_at == clock.time


async def test_a_request_is_not_carried_out_again_when_the_clock_was_set_back(
    service: TodoService, clock: _Clock
) -> None:
    key = IdempotencyKey("key", "digest")
    first = await service.add_entry("x", key=key)
    clock.time -= timedelta(days=400)
    await service.forget()
    assert await service.add_entry("x", key=key) == first
    assert (await service.find_entries(TodoQuery())).entries == [first]
