"""Many operations at once: what they do together, and that they do it all or not at all."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.application import edits
from myapp.application.edits import Operation, OperationFailed
from myapp.application.todo_service import TodoService
from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import (
    InvalidValue,
    StorageFull,
    TodoEntryExists,
    TodoEntryNotFound,
    TodoError,
    TooManyTags,
)
from myapp.domain.todo import TAGS_MOST, TodoEntry
from myapp.domain.todo_entry_repository import PAGE_MOST, TodoQuery
from tests.contract.entries import NOON
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import (
    DistantRepository,
    FailingRepository,
    OvertakenRepository,
    Waiting,
    service_on,
)

MILK, BREAD, EGGS = (UUID(int=0xABC + number) for number in range(3))


async def everything_in(service: TodoService) -> tuple[Sequence[TodoEntry], int]:
    """Answer the entries that are there, and the store's revision."""
    page = await service.find_entries(TodoQuery(limit=PAGE_MOST))
    return page.entries, page.revision


async def test_operations_are_carried_out_in_their_order(service: TodoService) -> None:
    (change,) = await service.carry_out(
        [
            Operation(MILK, edits.create("buy milk")),
            Operation(MILK, edits.add_tag("first")),
            Operation(MILK, edits.put("buy oat milk", tags=("second",))),
            Operation(MILK, edits.add_tag("third")),
            Operation(MILK, edits.remove_tag("second")),
            Operation(MILK, edits.change(done=True)),
        ]
    )
    assert (change.kind, change.before) == (ChangeKind.ADDED, None)
    assert (change.after.content, change.after.tags) == ("buy oat milk", ("third",))
    assert change.after.completed_at == change.after.created_at == change.at == NOON
    assert await service.get_entry(MILK) == change.after


async def test_every_entry_that_is_another_has_one_change_in_the_order_of_their_first_touch(
    service: TodoService,
) -> None:
    milk, _ = await service.put_entry(MILK, "buy milk"), await service.put_entry(EGGS, "eggs")
    changes = await service.carry_out(
        [
            Operation(BREAD, edits.create("buy bread")),
            Operation(None, edits.create("buy butter")),
            Operation(MILK, edits.change(content="buy oat milk")),
            Operation(EGGS, edits.remove()),
            Operation(None, edits.create("buy jam")),
            Operation(BREAD, edits.add_tag("bakery")),
        ]
    )
    butter, jam = UUID(int=1), UUID(int=2)
    assert [(change.entry_id, change.kind, change.revision) for change in changes] == [
        (BREAD, ChangeKind.ADDED, 3),
        (butter, ChangeKind.ADDED, 4),
        (MILK, ChangeKind.EDITED, 5),
        (EGGS, ChangeKind.REMOVED, 6),
        (jam, ChangeKind.ADDED, 7),
    ]
    assert changes[2].before == milk.after
    entries, _ = await everything_in(service)
    assert {entry.id for entry in entries} == {BREAD, butter, MILK, jam}
    assert (await service.get_changes(2, limit=100)).changes == changes


async def test_a_batch_of_nothing_does_nothing(service: TodoService) -> None:
    assert await service.carry_out([]) == []
    assert await everything_in(service) == ([], 0)


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param(
            [Operation(BREAD, edits.create("bread")), Operation(BREAD, edits.remove())],
            id="create and remove",
        ),
        pytest.param(
            [Operation(MILK, edits.add_tag("a")), Operation(MILK, edits.remove_tag("a"))],
            id="tag and untag",
        ),
        pytest.param(
            [
                Operation(MILK, edits.change(content="a", done=True)),
                Operation(MILK, edits.change(content="buy milk", done=False)),
            ],
            id="change and change back",
        ),
        pytest.param([Operation(MILK, edits.put("buy milk"))], id="put what is there"),
    ],
)
async def test_operations_that_cancel_out_change_nothing(
    service: TodoService, operations: Sequence[Operation]
) -> None:
    await service.put_entry(MILK, "buy milk")
    before = await everything_in(service)
    assert await service.carry_out(operations, dry_run=True) == []
    assert await service.carry_out(operations) == []
    assert await everything_in(service) == before


async def test_an_entry_that_is_removed_and_created_again_is_changed_once(
    service: TodoService,
) -> None:
    _, milk = await service.put_entry(MILK, "buy milk", done=True, tags=("shop",))
    (change,) = await service.carry_out(
        [
            Operation(MILK, edits.remove()),
            Operation(MILK, edits.create("buy milk", done=True)),
        ]
    )
    assert (change.kind, change.before) == (ChangeKind.EDITED, milk)
    assert (change.after.tags, change.revision) == ((), milk.revision + 1)
    assert change.after.created_at > milk.created_at
    assert await service.get_entry(MILK) == change.after


async def test_an_entry_that_ends_removed_is_removed_once(service: TodoService) -> None:
    _, milk = await service.put_entry(MILK, "buy milk")
    (change,) = await service.carry_out(
        [
            Operation(MILK, edits.remove()),
            Operation(MILK, edits.create("buy oat milk")),
            Operation(MILK, edits.remove()),
        ]
    )
    assert (change.kind, change.before) == (ChangeKind.REMOVED, milk)
    with pytest.raises(TodoEntryNotFound):
        await service.get_entry(MILK)


@pytest.mark.parametrize("dry_run", [False, True], ids=["for real", "dry run"])
async def test_an_entry_that_was_removed_before_is_restored(
    service: TodoService, dry_run: bool
) -> None:
    await service.put_entry(MILK, "buy milk")
    await service.change_entry(MILK, content="buy oat milk")
    await service.remove_entry(MILK)
    (removal,) = (await service.get_changes(2, limit=100)).changes
    operations = [Operation(MILK, edits.put("buy soy milk"))]
    (change,) = await service.carry_out(operations, dry_run=dry_run)
    assert (change.kind, change.before) == (ChangeKind.RESTORED, removal.after)


FULL = edits.create("full", tags=tuple(f"tag-{number}" for number in range(TAGS_MOST)))


@pytest.mark.parametrize("dry_run", [False, True], ids=["for real", "dry run"])
@pytest.mark.parametrize(
    ("failing", "error"),
    [
        pytest.param(Operation(None, edits.create("")), InvalidValue, id="invalid"),
        pytest.param(Operation(MILK, edits.create("a")), TodoEntryExists, id="there"),
        pytest.param(Operation(BREAD, edits.create("a")), TodoEntryExists, id="just created"),
        pytest.param(Operation(UUID(int=9), edits.remove()), TodoEntryNotFound, id="unknown"),
        pytest.param(Operation(EGGS, edits.change()), TodoEntryNotFound, id="just removed"),
        pytest.param(Operation(BREAD, edits.add_tag("a")), TooManyTags, id="full"),
    ],
)
async def test_an_operation_that_fails_is_named_and_keeps_all_from_being_stored(
    service: TodoService, failing: Operation, error: type[TodoError], dry_run: bool
) -> None:
    await service.put_entry(MILK, "buy milk")
    await service.put_entry(EGGS, "buy eggs")
    before = await everything_in(service)
    operations = [
        Operation(BREAD, FULL),
        Operation(MILK, edits.change(done=True)),
        Operation(EGGS, edits.remove()),
        failing,
        Operation(None, edits.create("never reached")),
    ]
    with pytest.raises(OperationFailed) as caught:
        await service.carry_out(operations, dry_run=dry_run)
    assert (caught.value.index, type(caught.value.error)) == (3, error)
    assert await everything_in(service) == before


async def test_a_batch_that_the_storage_refuses_stores_nothing() -> None:
    repository = FailingRepository()
    service = service_on(repository)
    repository.error = StorageFull("full")
    with pytest.raises(StorageFull):
        await service.carry_out([Operation(None, edits.create("buy milk"))])
    assert await everything_in(service) == ([], 0)


async def test_a_dry_run_tells_the_revisions_that_entries_have_now(
    service: TodoService,
) -> None:
    _, milk = await service.put_entry(MILK, "buy milk")
    operations = [
        Operation(MILK, edits.add_tag("shop")),
        Operation(BREAD, edits.create("buy bread")),
    ]
    changes = await service.carry_out(operations, dry_run=True)
    assert [change.revision for change in changes] == [milk.revision, 0]
    assert await everything_in(service) == ([milk], milk.revision)


IDS = st.sampled_from([MILK, BREAD, EGGS])
CONTENTS = st.sampled_from(["buy milk", "buy bread", " "])
TAGS = st.sampled_from(["home", "shop"])
EDITS = st.one_of(
    st.builds(edits.create, CONTENTS, done=st.booleans()),
    st.builds(edits.put, CONTENTS, done=st.booleans(), tags=st.lists(TAGS).map(tuple)),
    st.builds(edits.change, content=st.none() | CONTENTS, done=st.none() | st.booleans()),
    st.just(edits.remove()),
    st.builds(edits.add_tag, TAGS),
    st.builds(edits.remove_tag, TAGS),
)
OPERATIONS = st.lists(st.builds(Operation, IDS, EDITS), max_size=8)


@given(before=OPERATIONS, operations=OPERATIONS)
async def test_a_batch_does_what_its_operations_do_one_after_the_other(
    before: Sequence[Operation], operations: Sequence[Operation]
) -> None:
    one_by_one = service_on(InMemoryTodoEntryRepository())
    at_once = service_on(InMemoryTodoEntryRepository())
    for service in (one_by_one, at_once):
        for operation in before:
            await outcome_of(service, [operation])
    left = await contents_of(at_once)
    failed: int | None = None
    for index, operation in enumerate(operations):
        if isinstance(await outcome_of(one_by_one, [operation]), int):
            failed = index
            break
    outcome = await outcome_of(at_once, operations)
    if failed is None:
        assert await contents_of(at_once) == await contents_of(one_by_one)
    else:
        assert outcome == failed
        assert await contents_of(at_once) == left


@given(before=OPERATIONS, operations=OPERATIONS)
async def test_a_dry_run_tells_what_the_real_run_does(
    before: Sequence[Operation], operations: Sequence[Operation]
) -> None:
    service = service_on(InMemoryTodoEntryRepository())
    for operation in before:
        await outcome_of(service, [operation])
    left = await everything_in(service)
    told = await outcome_of(service, operations, dry_run=True)
    assert await everything_in(service) == left
    done = await outcome_of(service, operations)
    if isinstance(told, int) or isinstance(done, int):
        assert told == done
        return
    assert [change.kind for change in told] == [change.kind for change in done]
    assert [change.before for change in told] == [change.before for change in done]
    assert [timeless(change.after) for change in told] == [
        timeless(change.after) for change in done
    ]


async def outcome_of(
    service: TodoService, operations: Sequence[Operation], *, dry_run: bool = False
) -> Sequence[Change] | int:
    """Answer the changes, or the index of the operation that failed."""
    try:
        return await service.carry_out(operations, dry_run=dry_run)
    except OperationFailed as error:
        return error.index


async def contents_of(service: TodoService) -> dict[UUID, TodoEntry]:
    """Answer what is there but for when, and under which number, it was stored."""
    entries, _ = await everything_in(service)
    return {entry.id: timeless(entry) for entry in entries}


def timeless(entry: TodoEntry) -> TodoEntry:
    """Answer the entry as if everything had happened at noon."""
    return replace(
        entry,
        created_at=NOON,
        updated_at=NOON,
        completed_at=NOON if entry.done else None,
        removed_at=NOON if entry.removed else None,
        revision=0,
    )


async def test_a_batch_that_loses_the_race_is_carried_out_on_the_fresh_entries() -> None:
    repository = OvertakenRepository()
    service, other = service_on(repository), service_on(repository)
    await service.put_entry(MILK, "buy milk")
    repository.acts = [
        partial(other.add_tag, MILK, "theirs"),
        partial(other.put_entry, BREAD, "buy rye"),
    ]
    milk, bread = await service.carry_out(
        [
            Operation(MILK, edits.add_tag("ours")),
            Operation(BREAD, edits.put("buy bread")),
        ]
    )
    assert milk.after.tags == ("ours", "theirs")
    assert bread.before is not None
    assert (bread.before.content, bread.after.content) == ("buy rye", "buy bread")


async def test_a_batch_that_cannot_be_carried_out_after_a_lost_race_fails_as_a_whole() -> None:
    repository = OvertakenRepository()
    service, other = service_on(repository), service_on(repository)
    await service.put_entry(MILK, "buy milk")
    repository.acts = [partial(other.remove_entry, MILK)]
    with pytest.raises(OperationFailed) as caught:
        await service.carry_out(
            [
                Operation(None, edits.create("buy bread")),
                Operation(MILK, edits.add_tag("ours")),
            ]
        )
    assert (caught.value.index, type(caught.value.error)) == (1, TodoEntryNotFound)
    assert (await everything_in(service))[0] == []


async def test_batches_of_the_same_entries_do_not_wait_for_each_other_for_ever() -> None:
    waiting = Waiting()
    service = service_on(DistantRepository(), waiting)
    ids = [MILK, BREAD, EGGS]
    await service.carry_out([Operation(id, edits.create("something")) for id in ids])
    batches = [
        [Operation(id, edits.add_tag(f"tag-{number}")) for id in order]
        for number, order in enumerate([ids, ids[::-1], ids[1:] + ids[:1]] * 5)
    ]
    async with asyncio.timeout(30):
        await asyncio.gather(*map(service.carry_out, batches))
    entries, _ = await everything_in(service)
    assert [len(entry.tags) for entry in entries] == [15, 15, 15]
    assert waiting.seconds == [], "within a process nobody loses a race"


async def test_a_batch_of_many_operations_lets_others_have_their_turn(
    service: TodoService,
) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    having_their_turn = asyncio.create_task(others())
    await service.carry_out([Operation(None, edits.create("buy milk"))] * 200, dry_run=True)
    having_their_turn.cancel()
    assert turns >= 5
