"""Safe repetition: a request under a key is carried out once, however often it comes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from myapp.application import edits
from myapp.application.edits import Operation, OperationFailed
from myapp.application.todo_service import RECEIPTS_KEPT, IdempotencyKey, TodoService
from myapp.domain.change import Change, ChangedSince
from myapp.domain.errors import (
    ChangeNotFound,
    InvalidValue,
    KeyReused,
    StorageFull,
    StorageUnavailable,
    TodoError,
)
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt, TodoQuery
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import (
    Clock,
    FailingRepository,
    ForestalledRepository,
    HeldRepository,
    OvertakenRepository,
    SharedRepository,
    service_on,
)

MILK, BREAD = UUID(int=0xABC), UUID(int=0xDEF)
KEY = IdempotencyKey("8e03978e", "digest of the request")
OTHER_REQUEST = IdempotencyKey(KEY.value, "digest of another request")
OTHER_KEY = IdempotencyKey("a7d5b1c2", KEY.digest)

Request = Callable[[TodoService, IdempotencyKey], Awaitable[object]]


def add(service: TodoService, key: IdempotencyKey) -> Awaitable[TodoEntry]:
    """Add an entry."""
    return service.add_entry("buy milk", key=key)


def carry_out(service: TodoService, key: IdempotencyKey) -> Awaitable[Sequence[Change]]:
    """Add an entry under a new id, create one under a known id, and change it."""
    operations = [
        Operation(None, edits.create("buy milk")),
        Operation(BREAD, edits.create("buy bread")),
        Operation(BREAD, edits.add_tag("bakery")),
    ]
    return service.carry_out(operations, key=key)


def undo(service: TodoService, key: IdempotencyKey) -> Awaitable[Change]:
    """Undo the first change."""
    return service.undo(1, key=key)


REQUESTS: dict[str, Request] = {"add": add, "batch": carry_out, "undo": undo}

every_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))


async def revision_of(service: TodoService) -> int:
    """Answer the store's revision."""
    return (await service.find_entries(TodoQuery())).revision


@every_request
async def test_a_repeated_request_answers_the_same_and_stores_nothing(
    service: TodoService, request_: Request
) -> None:
    await service.put_entry(MILK, "buy oat milk")
    first = await request_(service, KEY)
    stored = await revision_of(service)
    assert stored > 1
    for _ in range(3):
        assert await request_(service, KEY) == first
    assert await revision_of(service) == stored


@every_request
async def test_a_repetition_answers_what_was_stored_then_whatever_has_become_of_it(
    service: TodoService, request_: Request
) -> None:
    await service.put_entry(MILK, "buy oat milk")
    first = await request_(service, KEY)
    for entry in (await service.find_entries(TodoQuery())).entries:
        await service.remove_entry(entry.id)
    assert await request_(service, KEY) == first


@every_request
async def test_a_repetition_is_known_in_another_process(
    service: TodoService, repository: InMemoryTodoEntryRepository, request_: Request
) -> None:
    await service.put_entry(MILK, "buy oat milk")
    first = await request_(service, KEY)
    assert await request_(service_on(repository), KEY) == first


@every_request
async def test_a_key_that_comes_with_another_request_is_refused(
    service: TodoService, request_: Request
) -> None:
    await service.put_entry(MILK, "buy oat milk")
    await service.add_entry("something else", key=OTHER_REQUEST)
    stored = await revision_of(service)
    with pytest.raises(KeyReused) as caught:
        await request_(service, KEY)
    assert caught.value.key == KEY.value
    assert await revision_of(service) == stored


async def test_the_same_request_under_another_key_is_another_one(service: TodoService) -> None:
    first, second = await add(service, KEY), await add(service, OTHER_KEY)
    third = await service.add_entry("buy milk")
    assert len({first.id, second.id, third.id}) == 3


async def test_a_batch_that_changes_nothing_has_been_carried_out_too(
    service: TodoService,
) -> None:
    await service.put_entry(MILK, "buy milk", tags=("shop",))
    operations = [Operation(MILK, edits.add_tag("shop"))]
    assert await service.carry_out(operations, key=KEY) == []
    untagged = await service.remove_tag(MILK, "shop")
    assert await service.carry_out(operations, key=KEY) == []
    assert await service.get_entry(MILK) == untagged
    with pytest.raises(KeyReused):
        await service.carry_out([], key=OTHER_REQUEST)


async def test_a_dry_run_carries_nothing_out_that_could_be_repeated(
    service: TodoService,
) -> None:
    operations = [Operation(MILK, edits.create("buy milk"))]
    await service.carry_out(operations, dry_run=True, key=OTHER_REQUEST)
    assert len(await service.carry_out(operations, key=KEY)) == 1


FAILING: dict[str, tuple[Request, type[TodoError]]] = {
    "add": (lambda service, key: service.add_entry(" ", key=key), InvalidValue),
    "batch": (
        lambda service, key: service.carry_out([Operation(MILK, edits.remove())], key=key),
        OperationFailed,
    ),
    "undo": (lambda service, key: service.undo(99, key=key), ChangeNotFound),
}


@pytest.mark.parametrize(("failing", "error"), FAILING.values(), ids=list(FAILING))
async def test_a_request_that_failed_may_come_again_corrected(
    service: TodoService, failing: Request, error: type[TodoError]
) -> None:
    for _ in range(2):
        with pytest.raises(error):
            await failing(service, OTHER_REQUEST)
    assert (await add(service, KEY)).revision == 1


@every_request
async def test_a_request_that_the_storage_refused_is_carried_out_when_it_comes_again(
    request_: Request,
) -> None:
    repository = FailingRepository()
    service = service_on(repository)
    await service.put_entry(MILK, "buy oat milk")
    repository.error = StorageFull("full")
    with pytest.raises(StorageFull):
        await request_(service, KEY)
    repository.error = None
    await request_(service, KEY)
    assert await revision_of(service) > 1


async def test_a_repetition_waits_for_the_first_that_still_runs() -> None:
    repository = HeldRepository()
    service = service_on(repository)
    repository.held = UUID(int=1)
    first = asyncio.ensure_future(add(service, KEY))
    await repository.is_waited_for.wait()
    repetitions = [asyncio.ensure_future(add(service, KEY)) for _ in range(5)]
    other_request = asyncio.ensure_future(add(service, OTHER_REQUEST))
    async with asyncio.timeout(30):
        assert (await add(service, OTHER_KEY)).content == "buy milk", "others need not wait"
    for _ in range(10):
        await asyncio.sleep(0)  # whoever does not wait is done by then
    assert not any(waiting.done() for waiting in (first, *repetitions, other_request))
    repository.is_free.set()
    async with asyncio.timeout(30):
        assert await asyncio.gather(*repetitions) == [await first] * 5
        with pytest.raises(KeyReused):
            await other_request
    assert await revision_of(service) == 2


async def test_a_repetition_of_a_first_that_is_called_off_takes_its_place() -> None:
    repository = HeldRepository()
    service = service_on(repository)
    repository.held = UUID(int=1)
    first = asyncio.ensure_future(add(service, KEY))
    await repository.is_waited_for.wait()
    second = asyncio.ensure_future(add(service, KEY))
    first.cancel()
    await asyncio.wait([first])
    repository.is_free.set()
    async with asyncio.timeout(30):
        await second
    assert await revision_of(service) == 1


in_any_way = pytest.mark.parametrize("shared", [OvertakenRepository, ForestalledRepository])


@in_any_way
@every_request
async def test_a_request_that_another_process_carries_out_first_answers_the_same(
    request_: Request, shared: type[SharedRepository]
) -> None:
    repository = shared()
    service, other = service_on(repository), service_on(repository)
    await service.put_entry(MILK, "buy oat milk")
    answers: list[object] = []

    async def overtake() -> None:
        answers.append(await request_(other, KEY))
        answers.append(await revision_of(other))

    repository.acts = [overtake]
    answer = await request_(service, KEY)
    assert answers == [answer, await revision_of(service)]


@in_any_way
@every_request
async def test_a_key_that_another_process_uses_first_for_another_request_is_refused(
    request_: Request, shared: type[SharedRepository]
) -> None:
    repository = shared()
    service, other = service_on(repository), service_on(repository)
    await service.put_entry(MILK, "buy oat milk")
    repository.acts = [partial(other.add_entry, "something else", key=OTHER_REQUEST)]
    with pytest.raises(KeyReused):
        await request_(service, KEY)
    assert await revision_of(service) == 2


@in_any_way
async def test_a_request_that_fails_by_what_another_request_did_first_fails(
    shared: type[SharedRepository],
) -> None:
    repository = shared()
    service, other = service_on(repository), service_on(repository)
    await service.put_entry(MILK, "buy oat milk")
    repository.acts = [partial(undo, other, OTHER_KEY)]
    with pytest.raises(ChangedSince):
        await undo(service, KEY)


class SlowRepository(InMemoryTodoEntryRepository):
    """Knows the receipt of a request that is being stored, but cannot show it for a while."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    async def receipt(self, key: str) -> Receipt | None:
        self._looks -= 1
        return await super().receipt(key) if self._looks < 0 else None


async def test_a_receipt_that_cannot_be_read_yet_is_waited_for() -> None:
    repository = SlowRepository(looks=7)
    first = Receipt(key=KEY.value, digest=KEY.digest, at=Clock().moment)
    entry = edits.create("buy milk")(MILK, None, first.at)
    (change,) = await repository.save(entry, receipt=first)
    async with asyncio.timeout(30):
        assert await add(service_on(repository), KEY) == change.after
    assert await revision_of(service_on(repository)) == 1


async def test_a_receipt_that_can_never_be_read_is_given_up() -> None:
    repository = SlowRepository(looks=10_000)
    await repository.save(receipt=Receipt(key=KEY.value, digest="", at=Clock().moment))
    with pytest.raises(StorageUnavailable):
        await add(service_on(repository), KEY)


async def test_a_request_can_be_repeated_safely_for_so_long_and_no_longer() -> None:
    clock = Clock()
    service = service_on(InMemoryTodoEntryRepository(), clock=clock)
    first = await add(service, KEY)
    clock.moment += RECEIPTS_KEPT - timedelta(minutes=1)
    await service.forget()
    assert await add(service, KEY) == first
    clock.moment += timedelta(minutes=1)
    await service.forget()
    again = await add(service, OTHER_REQUEST)
    assert again.id != first.id


def test_requests_can_be_repeated_safely_for_a_day() -> None:
    assert RECEIPTS_KEPT >= timedelta(hours=24)
