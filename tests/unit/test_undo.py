"""Undo: every change can be taken back, as long as nothing has touched its entry since."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from myapp.application import edits
from myapp.application.edits import Operation
from myapp.application.todo_service import TodoService
from myapp.domain.change import Change, ChangedSince, ChangeKind
from myapp.domain.errors import ChangeNotFound, HistoryForgotten, TodoEntryNotFound
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from tests.contract.entries import NOON
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import (
    DistantRepository,
    HeldRepository,
    OvertakenRepository,
    Waiting,
    service_on,
)

MILK, BREAD = UUID(int=0xABC), UUID(int=0xDEF)


async def entry_in(service: TodoService, entry_id: UUID = MILK) -> TodoEntry | None:
    """Answer an entry, None if it is not there."""
    try:
        return await service.get_entry(entry_id)
    except TodoEntryNotFound:
        return None


async def put_milk(service: TodoService, *, done: bool = False) -> TodoEntry:
    """Put an entry with everything."""
    _, milk = await service.put_entry(
        MILK,
        "buy milk",
        done=done,
        notes="oat",
        tags=("shop",),
        priority=Priority.HIGH,
        due=Due(NOON),
    )
    return milk


def plain(entry: TodoEntry | None) -> TodoEntry | None:
    """Answer an entry but for when, and under which number, it was stored."""
    return entry and replace(entry, updated_at=NOON, revision=0)


async def last_change(service: TodoService) -> Change:
    """Answer the newest change of all."""
    return (await service.get_changes(0, limit=1_000)).changes[-1]


Live = Callable[[TodoService], Awaitable[object]]


async def nothing(_service: TodoService) -> None:
    """Do nothing."""


async def remove(service: TodoService) -> None:
    """Put the entry, and remove it."""
    await put_milk(service)
    await service.remove_entry(MILK)


LIVES: dict[str, tuple[Live, Live, ChangeKind]] = {
    "added": (nothing, put_milk, ChangeKind.REMOVED),
    "edited": (
        put_milk,
        lambda service: service.put_entry(MILK, "buy bread", tags=("home",)),
        ChangeKind.EDITED,
    ),
    "completed": (
        put_milk,
        lambda service: service.change_entry(MILK, done=True, notes=""),
        ChangeKind.REOPENED,
    ),
    "reopened": (
        lambda service: put_milk(service, done=True),
        lambda service: service.change_entry(MILK, done=False, due=None),
        ChangeKind.COMPLETED,
    ),
    "removed": (
        put_milk,
        lambda service: service.remove_entry(MILK),
        ChangeKind.RESTORED,
    ),
    "restored": (
        remove,
        lambda service: service.put_entry(MILK, "buy bread"),
        ChangeKind.REMOVED,
    ),
}

every_life = pytest.mark.parametrize(
    ("before", "change", "kind"), LIVES.values(), ids=list(LIVES)
)


@every_life
async def test_an_undo_gives_the_entry_the_state_back_that_it_had(
    service: TodoService, before: Live, change: Live, kind: ChangeKind
) -> None:
    await before(service)
    expected = await entry_in(service)
    await change(service)
    last = await last_change(service)
    undone = await service.undo(last.revision)
    assert (undone.kind, undone.before) == (kind, last.after)
    assert undone.revision == last.revision + 1
    assert undone.at > last.at
    assert plain(await entry_in(service)) == plain(expected)
    assert await last_change(service) == undone


@every_life
async def test_an_undo_can_be_undone_over_and_over(
    service: TodoService, before: Live, change: Live, kind: ChangeKind
) -> None:
    await before(service)
    states = [await entry_in(service)]
    await change(service)
    states.append(await entry_in(service))
    undone = await service.undo((await last_change(service)).revision)
    for number in range(1, 6):
        undone = await service.undo(undone.revision)
        assert plain(await entry_in(service)) == plain(states[number % 2])
    assert undone.kind is not kind or kind is ChangeKind.EDITED


async def test_an_undo_leaves_all_other_entries_alone(service: TodoService) -> None:
    milk = await put_milk(service)
    _, bread = await service.put_entry(BREAD, "buy bread")
    bread = await service.add_tag(BREAD, "bakery")
    await service.undo(milk.revision)
    assert (await service.find_entries(TodoQuery())).entries == [bread]


async def test_each_change_of_a_batch_is_undone_by_itself(service: TodoService) -> None:
    milk, bread = await service.carry_out(
        [
            Operation(MILK, edits.create("buy milk")),
            Operation(BREAD, edits.create("buy bread")),
        ]
    )
    await service.undo(milk.revision)
    assert (await service.find_entries(TodoQuery())).entries == [bread.after]


async def test_what_was_never_changed_cannot_be_undone(service: TodoService) -> None:
    milk = await put_milk(service)
    with pytest.raises(ChangeNotFound) as caught:
        await service.undo(milk.revision + 1)
    assert caught.value.revision == milk.revision + 1


async def test_what_is_forgotten_cannot_be_undone(
    service: TodoService, repository: InMemoryTodoEntryRepository
) -> None:
    milk = await put_milk(service)
    tagged = await service.add_tag(MILK, "new")
    await repository.forget(keep=1, receipts_before=NOON)
    with pytest.raises(HistoryForgotten):
        await service.undo(milk.revision)
    await service.undo(tagged.revision)
    assert plain(await entry_in(service)) == plain(milk)


async def test_a_change_is_not_undone_when_its_entry_has_been_changed_since(
    service: TodoService,
) -> None:
    await put_milk(service)
    await service.add_tag(MILK, "first")
    change = await last_change(service)
    later = await service.add_tag(MILK, "second")
    with pytest.raises(ChangedSince) as caught:
        await service.undo(change.revision)
    assert (caught.value.change, caught.value.current) == (change, later)
    assert await entry_in(service) == later


async def test_a_change_is_not_undone_when_its_entry_has_been_removed_since(
    service: TodoService,
) -> None:
    milk = await put_milk(service)
    await service.remove_entry(MILK)
    with pytest.raises(ChangedSince) as caught:
        await service.undo(milk.revision)
    assert (caught.value.change.after, caught.value.current) == (milk, None)


async def test_a_removal_is_not_undone_when_its_entry_was_created_anew_since(
    service: TodoService,
) -> None:
    await remove(service)
    removal = await last_change(service)
    _, anew = await service.put_entry(MILK, "buy bread")
    with pytest.raises(ChangedSince) as caught:
        await service.undo(removal.revision)
    assert caught.value.current == anew == await entry_in(service)


async def test_a_change_is_undone_once(service: TodoService) -> None:
    milk = await put_milk(service)
    tagged = await service.add_tag(MILK, "new")
    undone = await service.undo(tagged.revision)
    for revision in (tagged.revision, milk.revision):
        with pytest.raises(ChangedSince) as caught:
            await service.undo(revision)
        assert caught.value.current == undone.after


async def test_of_many_that_undo_a_change_at_once_one_does() -> None:
    waiting = Waiting()
    service = service_on(DistantRepository(), waiting)
    milk = await put_milk(service)
    tagged = await service.add_tag(MILK, "new")
    undoing = (service.undo(tagged.revision) for _ in range(10))
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*undoing, return_exceptions=True)
    (undone,) = [answer for answer in answers if isinstance(answer, Change)]
    assert sum(isinstance(answer, ChangedSince) for answer in answers) == 9
    assert plain(undone.after) == plain(milk)
    assert await entry_in(service) == undone.after
    assert waiting.seconds == [], "within a process nobody loses a race"


async def test_an_undo_waits_for_a_change_of_its_entry_that_is_under_way() -> None:
    repository, waiting = HeldRepository(), Waiting()
    service = service_on(repository, waiting)
    milk = await put_milk(service)
    repository.held = MILK
    changing = asyncio.create_task(service.add_tag(MILK, "new"))
    await repository.is_waited_for.wait()
    undoing = asyncio.create_task(service.undo(milk.revision))
    await asyncio.sleep(0)
    repository.is_free.set()
    with pytest.raises(ChangedSince) as caught:
        await undoing
    assert caught.value.current == await changing
    assert waiting.seconds == [], "within a process nobody loses a race"


async def test_an_undo_that_loses_the_race_finds_its_entry_changed() -> None:
    repository = OvertakenRepository()
    service, other = service_on(repository), service_on(repository)
    await put_milk(service)
    tagged = await service.add_tag(MILK, "ours")
    repository.acts = [partial(other.add_tag, MILK, "theirs")]
    with pytest.raises(ChangedSince) as caught:
        await service.undo(tagged.revision)
    assert caught.value.current == await entry_in(service)
    assert caught.value.current is not None
    assert caught.value.current.tags == ("ours", "shop", "theirs")


async def test_a_removal_that_is_forgotten_while_it_is_undone_is_so_for_good() -> None:
    repository = OvertakenRepository()
    service = service_on(repository)
    await remove(service)
    removal = await last_change(service)
    repository.acts = [partial(repository.forget, keep=0, receipts_before=NOON)]
    with pytest.raises(HistoryForgotten):
        await service.undo(removal.revision)
    assert await entry_in(service) is None
