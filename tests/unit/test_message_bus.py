"""The message bus: who gets which change and when, and whom a bad handler hurts."""

import asyncio
from dataclasses import replace
from unittest.mock import AsyncMock, Mock, call, create_autospec

import pytest

from myapp.application import message_bus
from myapp.application.edits import Operation, change, create
from myapp.application.message_bus import MessageBus
from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import InvalidValue
from tests.contract.entries import LATER, new_entry
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import service_on

_ADDED = Change(None, replace(new_entry(), revision=1))
_COMPLETED = Change(_ADDED.after, replace(_ADDED.after.complete(at=LATER), revision=2))
_REMOVED = Change(_COMPLETED.after, replace(_COMPLETED.after.remove(at=LATER), revision=3))
_CHANGES = [_ADDED, _COMPLETED, _REMOVED]
_new = create("buy rye bread")

_sync_and_async = pytest.mark.parametrize("kind", [Mock, AsyncMock], ids=["sync", "async"])
_failures = pytest.mark.parametrize(
    "error", [ValueError("no"), asyncio.CancelledError()], ids=["fails", "awaits what is not"]
)


@pytest.fixture
def bus() -> MessageBus:
    """A bus without handlers."""
    return MessageBus()


class Collected:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, change: Change) -> None:
        self.changes.append(change)


class Held:
    """A handler that keeps what it gets, and finishes with nothing before it is let."""

    def __init__(self) -> None:
        self.begun: list[Change] = []
        self.finished: list[Change] = []
        self.may_finish = asyncio.Event()
        self.has_begun = asyncio.Event()

    async def __call__(self, change: Change) -> None:
        self.begun.append(change)
        self.has_begun.set()
        await self.may_finish.wait()
        self.finished.append(change)


@_sync_and_async
async def test_a_handler_gets_every_change_in_order_and_once(
    bus: MessageBus, kind: type[Mock]
) -> None:
    handler = kind(return_value=None)
    bus.subscribe(handler)

    bus.publish(_CHANGES[:2])
    bus.publish(_CHANGES[2:])
    await bus.drain()

    assert handler.mock_calls == [call(change) for change in _CHANGES]


async def test_a_handler_gets_the_kinds_that_it_asks_for(bus: MessageBus) -> None:
    ends, additions = Collected(), Collected()
    bus.subscribe(ends, {ChangeKind.COMPLETED, ChangeKind.REMOVED})
    bus.subscribe(additions, [ChangeKind.ADDED])

    bus.publish(_CHANGES)
    await bus.drain()

    assert ends.changes == [_COMPLETED, _REMOVED]
    assert additions.changes == [_ADDED]


async def test_a_handler_gets_nothing_from_before_it_subscribed(bus: MessageBus) -> None:
    late = Collected()
    bus.publish([_ADDED])

    bus.subscribe(late)
    bus.publish([_COMPLETED])
    await bus.drain()

    assert late.changes == [_COMPLETED]


async def test_publishing_waits_for_nobody(bus: MessageBus) -> None:
    handler = Collected()
    bus.subscribe(handler)

    bus.publish([_ADDED])

    assert handler.changes == []
    await bus.drain()
    assert handler.changes == [_ADDED]


async def test_a_slow_handler_holds_up_itself_alone(bus: MessageBus) -> None:
    slow, quick = Held(), Collected()
    bus.subscribe(slow)
    bus.subscribe(quick)

    bus.publish(_CHANGES)
    await slow.has_begun.wait()
    await asyncio.sleep(0)

    assert quick.changes == _CHANGES
    assert slow.begun == [_ADDED]
    slow.may_finish.set()
    await bus.drain()
    assert slow.finished == _CHANGES


@_failures
async def test_what_a_handler_fails_for_is_logged_with_the_error(
    bus: MessageBus, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    handler = AsyncMock(side_effect=error)
    bus.subscribe(handler)

    bus.publish([_COMPLETED])
    await bus.drain()

    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage() == f"{handler!r} failed for the completed change 2"
    assert record.exc_info is not None and record.exc_info[1] is error


@_sync_and_async
@_failures
async def test_a_handler_that_fails_hurts_neither_the_others_nor_what_comes_next(
    bus: MessageBus, kind: type[Mock], error: BaseException
) -> None:
    failing, other = kind(side_effect=[error, None, error]), Collected()
    bus.subscribe(failing)
    bus.subscribe(other)

    bus.publish(_CHANGES)
    await bus.drain()

    assert failing.mock_calls == [call(change) for change in _CHANGES]
    assert other.changes == _CHANGES


async def test_draining_waits_for_all_that_was_published(bus: MessageBus) -> None:
    slow = Held()
    bus.subscribe(slow)
    bus.publish(_CHANGES)

    draining = asyncio.create_task(bus.drain())
    await slow.has_begun.wait()

    assert not draining.done()
    slow.may_finish.set()
    await draining
    assert slow.finished == _CHANGES


async def test_draining_waits_for_what_handlers_publish_in_turn(bus: MessageBus) -> None:
    last = Held()

    async def pass_on(_change: Change) -> None:
        bus.publish([_REMOVED])
        asyncio.get_running_loop().call_later(0.01, last.may_finish.set)

    bus.subscribe(last, [ChangeKind.REMOVED])
    bus.subscribe(pass_on, [ChangeKind.ADDED])

    bus.publish([_ADDED])
    await bus.drain()

    assert last.finished == [_REMOVED]


async def test_draining_waits_no_longer_than_it_may(
    bus: MessageBus, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, quick = Held(), Collected()
    bus.subscribe(stuck)
    bus.subscribe(quick)
    bus.publish(_CHANGES)

    await bus.drain(within=0.01)

    assert (stuck.begun, stuck.finished) == ([_ADDED], [])
    assert quick.changes == _CHANGES
    stuck.may_finish.set()
    await asyncio.sleep(0.01)
    assert stuck.finished == []
    (record,) = caplog.records
    assert record.getMessage() == f"{stuck!r} is too slow: 2 changes that wait are lost on it"


async def test_a_bus_on_which_nothing_happened_is_drained_at_once(bus: MessageBus) -> None:
    bus.subscribe(Collected())

    await bus.drain(within=0)


async def test_a_handler_that_lags_too_far_behind_loses_what_waits_for_it(
    bus: MessageBus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(message_bus, "WAITING_MOST", 2)
    handler = Collected()
    bus.subscribe(handler)

    bus.publish(_CHANGES)
    await bus.drain()

    assert handler.changes == [_REMOVED]
    (record,) = caplog.records
    assert record.getMessage() == f"{handler!r} is too slow: 2 changes that wait are lost on it"


async def test_the_service_publishes_what_it_has_stored() -> None:
    repository = InMemoryTodoEntryRepository()
    service = service_on(repository)
    service.bus = bus = _mocked_bus()

    entry = await service.add_entry("buy oat milk")
    await service.carry_out([Operation(entry.id, change(done=True)), Operation(None, _new)])
    await service.undo(2)

    added, completed, other, undone = (await repository.changes(0, limit=9)).changes
    published = [call.publish([added]), call.publish([completed, other])]
    assert bus.mock_calls == [*published, call.publish([undone])]


async def test_the_service_publishes_nothing_where_it_stores_nothing() -> None:
    service = service_on(InMemoryTodoEntryRepository())
    entry = await service.add_entry("buy oat milk", done=True)
    service.bus = bus = _mocked_bus()

    await service.change_entry(entry.id, done=True)
    await service.carry_out([Operation(None, _new)], dry_run=True)
    with pytest.raises(InvalidValue):
        await service.add_entry(" ")

    assert bus.mock_calls == []


async def test_a_handler_that_fails_does_not_hurt_the_request() -> None:
    service = service_on(InMemoryTodoEntryRepository())
    service.bus.subscribe(Mock(side_effect=ValueError("no")))

    added = await service.add_entry("buy oat milk")
    await service.bus.drain()

    assert await service.get_entry(added.id) == added


def _mocked_bus() -> Mock:
    bus: Mock = create_autospec(MessageBus, instance=True)
    return bus
