"""The use cases, on an honest repository in memory and on some that make it hard."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from myapp.application import edits
from myapp.application.edits import Operation
from myapp.application.retrying import RETRIED_FOR
from myapp.application.todo_service import (
    Condition,
    IdempotencyKey,
    TodoService,
    Transition,
)
from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import (
    HistoryForgotten,
    InvalidValue,
    StaleTodoEntry,
    StorageFull,
    StorageUnavailable,
    TodoEntryExists,
    TodoEntryNotFound,
    TodoError,
    TooManyTags,
)
from myapp.domain.todo import TAGS_MOST, Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import (
    TagUse,
    TodoQuery,
)
from tests.contract.entries import NOON, UNKNOWN
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import (
    ContestedRepository,
    DistantRepository,
    FailingRepository,
    HeldRepository,
    Waiting,
    service_on,
)

KEY = IdempotencyKey("8e03978e", "digest of a request")


async def test_an_added_entry_is_there(service: TodoService) -> None:
    added = await service.add_entry("buy oat milk")
    assert added == TodoEntry(
        id=UUID(int=1), content="buy oat milk", created_at=NOON, updated_at=NOON, revision=1
    )
    assert await service.get_entry(added.id) == added


async def test_an_entry_can_be_added_with_everything(service: TodoService) -> None:
    added = await service.add_entry(
        "buy oat milk",
        done=True,
        notes="unsweetened",
        tags=("shop",),
        priority=Priority.HIGH,
        due=Due(NOON),
    )
    assert (added.completed_at, added.notes, added.tags) == (NOON, "unsweetened", ("shop",))
    assert (added.priority, added.due) == (Priority.HIGH, Due(NOON))


async def test_every_added_entry_has_an_id_of_its_own(service: TodoService) -> None:
    one, two = await service.add_entry("the same"), await service.add_entry("the same")
    assert one.id != two.id
    assert (await service.find_entries(TodoQuery())).entries == [one, two]


async def test_an_entry_is_added_under_another_id_when_the_first_is_taken(
    service: TodoService,
) -> None:
    _, taken = await service.put_entry(UUID(int=1), "somebody was faster")
    added = await service.add_entry("buy oat milk")
    assert (await service.find_entries(TodoQuery())).entries == [taken, added]


async def test_an_invalid_entry_is_not_added(service: TodoService) -> None:
    with pytest.raises(InvalidValue):
        await service.add_entry(" ")
    assert (await service.find_entries(TodoQuery())).entries == []


async def test_an_unknown_entry_is_not_found(service: TodoService) -> None:
    with pytest.raises(TodoEntryNotFound):
        await service.get_entry(UNKNOWN)


async def test_entries_are_found_as_the_query_asks(service: TodoService) -> None:
    await service.add_entry("buy oat milk")
    bread = await service.add_entry("buy bread")
    page = await service.find_entries(TodoQuery(search="BREAD", counted=True))
    assert (page.entries, page.total, page.revision) == ([bread], 1, 2)


async def test_putting_an_entry_creates_it_under_its_id(service: TodoService) -> None:
    before, after = await service.put_entry(UNKNOWN, "buy milk", tags=("shop",), done=True)
    assert before is None
    assert (after.id, after.content, after.tags) == (UNKNOWN, "buy milk", ("shop",))
    assert after.created_at == after.updated_at == after.completed_at == NOON
    assert await service.get_entry(UNKNOWN) == after


async def test_putting_an_entry_that_is_there_writes_its_fields(service: TodoService) -> None:
    added = await service.add_entry("buy milk", done=True, notes="some", tags=("shop",))
    before, after = await service.put_entry(
        added.id,
        "buy bread",
        notes="",
        tags=("bakery",),
        priority=Priority.LOW,
        due=Due(NOON),
    )
    assert before == added
    assert (after.content, after.notes, after.tags) == ("buy bread", "", ("bakery",))
    assert (after.priority, after.due, after.done) == (Priority.LOW, Due(NOON), False)
    assert (after.id, after.created_at) == (added.id, added.created_at)
    assert after.updated_at > added.updated_at
    assert after.revision > added.revision
    assert await service.get_entry(added.id) == after


async def test_putting_an_entry_twice_changes_nothing_the_second_time(
    service: TodoService,
) -> None:
    first = await service.put_entry(UNKNOWN, "buy milk", done=True, tags=("b", "a"))
    second = await service.put_entry(UNKNOWN, " buy milk", done=True, tags=("a", "b", "a"))
    assert second == Transition(first.after, first.after)


async def test_putting_an_invalid_entry_creates_nothing(service: TodoService) -> None:
    with pytest.raises(InvalidValue):
        await service.put_entry(UNKNOWN, "a\nb")
    with pytest.raises(TodoEntryNotFound):
        await service.get_entry(UNKNOWN)


async def test_a_change_writes_what_is_given(service: TodoService) -> None:
    added = await service.add_entry("buy milk", notes="some", due=Due(NOON))
    changed = await service.change_entry(added.id, content="buy bread", done=True, due=None)
    assert (changed.content, changed.done, changed.due) == ("buy bread", True, None)
    assert (changed.notes, changed.created_at) == ("some", added.created_at)
    assert changed.completed_at == changed.updated_at > added.updated_at
    assert changed.revision > added.revision
    assert await service.get_entry(added.id) == changed


async def test_a_removed_entry_is_gone(service: TodoService) -> None:
    added = await service.add_entry("buy milk", tags=("shop",))
    await service.remove_entry(added.id)
    with pytest.raises(TodoEntryNotFound):
        await service.get_entry(added.id)
    with pytest.raises(TodoEntryNotFound):
        await service.remove_entry(added.id)
    assert (await service.find_entries(TodoQuery())).entries == []
    assert await service.get_tags() == []


async def test_an_entry_can_be_put_where_one_was_removed(service: TodoService) -> None:
    added = await service.add_entry("buy milk")
    await service.remove_entry(added.id)
    before, after = await service.put_entry(added.id, "buy bread")
    assert before is None
    assert after.created_at > added.created_at
    assert after.revision > added.revision


async def test_tags_are_added_removed_and_counted(service: TodoService) -> None:
    added = await service.add_entry("buy milk")
    await service.add_entry("buy bread", tags=("shop",), done=True)
    tagged = await service.add_tag(added.id, "shop")
    assert (tagged.tags, tagged.revision) == (("shop",), 3)
    assert await service.get_tags() == [TagUse("shop", 1, 2)]
    untagged = await service.remove_tag(added.id, "shop")
    assert (untagged.tags, untagged.revision) == ((), 4)
    assert await service.get_tags() == [TagUse("shop", 0, 1)]


async def test_an_entry_with_all_the_tags_it_may_have_takes_no_other(
    service: TodoService,
) -> None:
    names = tuple(f"tag-{number}" for number in range(TAGS_MOST))
    added = await service.add_entry("buy milk", tags=names)
    with pytest.raises(TooManyTags):
        await service.add_tag(added.id, "one-more")
    assert await service.get_entry(added.id) == added


UseCase = Callable[[TodoService, UUID, Condition], Awaitable[object]]

CHANGES: dict[str, UseCase] = {
    "change": lambda service, id, condition: service.change_entry(
        id, condition=condition, content="changed"
    ),
    "remove": lambda service, id, condition: service.remove_entry(id, condition=condition),
    "add tag": lambda service, id, condition: service.add_tag(id, "new", condition=condition),
    "remove tag": lambda service, id, condition: service.remove_tag(
        id, "old", condition=condition
    ),
}
PUT: dict[str, UseCase] = {
    "put": lambda service, id, condition: service.put_entry(id, "put", condition=condition)
}
NO_CHANGES: dict[str, UseCase] = {
    "change": lambda service, id, condition: service.change_entry(
        id, condition=condition, content=" buy milk ", tags=("old", "old"), done=False
    ),
    "put": lambda service, id, condition: service.put_entry(
        id, "buy milk", condition=condition, tags=("old",)
    ),
    "add tag": lambda service, id, condition: service.add_tag(id, "old", condition=condition),
    "remove tag": lambda service, id, condition: service.remove_tag(
        id, "new", condition=condition
    ),
}

every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
every_change_and_put = pytest.mark.parametrize(
    "change", [*CHANGES.values(), *PUT.values()], ids=[*CHANGES, *PUT]
)
no_change = pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)


@no_change
async def test_a_change_that_changes_nothing_keeps_the_revision(
    service: TodoService, change: UseCase
) -> None:
    added = await service.add_entry("buy milk", tags=("old",))
    await change(service, added.id, Condition())
    page = await service.find_entries(TodoQuery())
    assert (page.entries, page.revision) == ([added], added.revision)


@no_change
async def test_a_change_that_changes_nothing_has_its_condition_checked(
    service: TodoService, change: UseCase
) -> None:
    added = await service.add_entry("buy milk", tags=("old",))
    await change(service, added.id, Condition(revisions=frozenset([added.revision])))
    with pytest.raises(StaleTodoEntry):
        await change(service, added.id, Condition(revisions=frozenset([99])))


@every_change_and_put
@pytest.mark.parametrize(
    "condition",
    [
        Condition(),
        Condition(exists=True),
        Condition(revisions=frozenset([1])),
        Condition(revisions=frozenset([7, 1])),
        Condition(revisions=frozenset([1]), exists=True),
    ],
    ids=str,
)
async def test_a_change_is_made_when_its_condition_holds(
    service: TodoService, change: UseCase, condition: Condition
) -> None:
    added = await service.add_entry("buy milk", tags=("old",))
    assert added.revision == 1
    await change(service, added.id, condition)
    assert (await service.find_entries(TodoQuery())).revision == 2


@every_change_and_put
@pytest.mark.parametrize(
    ("condition", "error"),
    [
        (Condition(exists=False), TodoEntryExists),
        (Condition(revisions=frozenset()), StaleTodoEntry),
        (Condition(revisions=frozenset([2])), StaleTodoEntry),
        (Condition(revisions=frozenset([0, 2]), exists=True), StaleTodoEntry),
        (Condition(revisions=frozenset([1]), exists=False), TodoEntryExists),
    ],
    ids=str,
)
async def test_a_change_is_not_made_when_its_condition_fails(
    service: TodoService, change: UseCase, condition: Condition, error: type[TodoError]
) -> None:
    added = await service.add_entry("buy milk", tags=("old",))
    with pytest.raises(error) as caught:
        await change(service, added.id, condition)
    assert str(added.id) in str(caught.value)
    page = await service.find_entries(TodoQuery())
    assert (page.entries, page.revision) == ([added], added.revision)


@every_change
@pytest.mark.parametrize(
    "condition",
    [
        Condition(),
        Condition(exists=True),
        Condition(exists=False),
        Condition(revisions=frozenset([1])),
    ],
    ids=str,
)
async def test_an_entry_that_is_not_there_is_not_found_whatever_the_condition(
    service: TodoService, change: UseCase, condition: Condition
) -> None:
    with pytest.raises(TodoEntryNotFound) as caught:
        await change(service, UNKNOWN, condition)
    assert caught.value.entry_id == UNKNOWN


@pytest.mark.parametrize(
    "condition", [Condition(exists=True), Condition(revisions=frozenset([1]))], ids=str
)
async def test_nothing_is_created_when_something_has_to_be_there(
    service: TodoService, condition: Condition
) -> None:
    with pytest.raises(StaleTodoEntry) as caught:
        await service.put_entry(UNKNOWN, "put", condition=condition)
    assert caught.value.entry_ids == (UNKNOWN,)
    with pytest.raises(TodoEntryNotFound):
        await service.get_entry(UNKNOWN)


async def test_an_entry_is_created_when_nothing_may_be_there(service: TodoService) -> None:
    condition = Condition(exists=False)
    before, after = await service.put_entry(UNKNOWN, "put", condition=condition)
    assert (before, after.content) == (None, "put")
    with pytest.raises(TodoEntryExists):
        await service.put_entry(UNKNOWN, "put", condition=condition)


def rival_tag(stored: TodoEntry) -> TodoEntry:
    """Put one tag more on the entry."""
    return stored.add_tag(f"rival-{len(stored.tags)}", at=NOON)


def rival_content(stored: TodoEntry) -> TodoEntry:
    """Make another entry of it."""
    return stored.change(at=NOON, content=f"rival of {stored.revision}")


def rival_removal(stored: TodoEntry) -> TodoEntry:
    """Remove the entry."""
    return stored.remove(at=NOON)


@pytest.fixture
def contested() -> ContestedRepository:
    """An empty repository that others may use too."""
    return ContestedRepository()


@pytest.fixture
def waiting() -> Waiting:
    """Takes down how long the service would have waited."""
    return Waiting()


@pytest.fixture
def contender(contested: ContestedRepository, waiting: Waiting) -> TodoService:
    """A service that may lose the race."""
    return service_on(contested, waiting)


async def test_a_change_that_loses_the_race_is_made_to_the_fresh_entry(
    contender: TodoService, contested: ContestedRepository, waiting: Waiting
) -> None:
    added = await contender.add_entry("buy milk")
    contested.rivals = [rival_tag] * 3
    changed = await contender.add_tag(added.id, "mine")
    assert changed.tags == ("mine", "rival-0", "rival-1", "rival-2")
    assert await contender.get_entry(added.id) == changed
    assert len(waiting.seconds) == 3


@every_change_and_put
@pytest.mark.parametrize("condition", [Condition(), Condition(exists=True)], ids=str)
async def test_every_change_is_tried_again(
    contender: TodoService,
    contested: ContestedRepository,
    change: UseCase,
    condition: Condition,
) -> None:
    added = await contender.add_entry("buy milk", tags=("old",))
    contested.rivals = [rival_tag] * 5
    await change(contender, added.id, condition)
    assert (await contender.find_entries(TodoQuery())).revision == 1 + 5 + 1


async def test_a_put_that_is_beaten_to_its_id_writes_the_entry_that_is_there(
    contender: TodoService, contested: ContestedRepository
) -> None:
    contested.rivals = [rival_content]
    before, after = await contender.put_entry(UNKNOWN, "mine")
    assert before is not None
    assert (before.content, before.revision) == ("rival of 0", 1)
    assert (after.content, after.revision) == ("mine", 2)


async def test_a_put_of_something_new_that_is_beaten_to_its_id_fails(
    contender: TodoService, contested: ContestedRepository
) -> None:
    contested.rivals = [rival_content]
    with pytest.raises(TodoEntryExists):
        await contender.put_entry(UNKNOWN, "mine", condition=Condition(exists=False))
    assert (await contender.get_entry(UNKNOWN)).content == "rival of 0"


@every_change
async def test_a_change_of_an_entry_removed_meanwhile_finds_it_no_more(
    contender: TodoService, contested: ContestedRepository, change: UseCase
) -> None:
    added = await contender.add_entry("buy milk", tags=("old",))
    contested.rivals = [rival_removal]
    with pytest.raises(TodoEntryNotFound):
        await change(contender, added.id, Condition())


@every_change_and_put
async def test_a_change_of_a_certain_revision_that_loses_the_race_fails(
    contender: TodoService, contested: ContestedRepository, change: UseCase
) -> None:
    added = await contender.add_entry("buy milk", tags=("old",))
    contested.rivals = [rival_content]
    with pytest.raises(StaleTodoEntry):
        await change(contender, added.id, Condition(revisions=frozenset([added.revision])))
    assert (await contender.get_entry(added.id)).content == "rival of 1"


async def test_a_change_that_a_rival_made_too_is_not_made_again(
    contender: TodoService, contested: ContestedRepository
) -> None:
    added = await contender.add_entry("buy milk")
    contested.rivals = [rival_tag]
    changed = await contender.add_tag(added.id, "rival-0")
    assert (changed.tags, changed.revision) == (("rival-0",), 2)


@every_change_and_put
async def test_a_change_that_keeps_losing_gives_up_after_so_many_seconds_of_waits(
    contender: TodoService, contested: ContestedRepository, waiting: Waiting, change: UseCase
) -> None:
    added = await contender.add_entry("buy milk", tags=("old",))
    contested.rivals = [rival_content] * 10_000
    with pytest.raises(StorageUnavailable, match="keep changing this entry") as caught:
        await change(contender, added.id, Condition())
    assert caught.value.retry_after >= 1
    assert sum(waiting.seconds) == pytest.approx(RETRIED_FOR)
    assert (await contender.get_entry(added.id)).content.startswith("rival of")


async def test_waits_grow_from_milliseconds_to_half_a_second_and_are_never_the_same(
    contender: TodoService, contested: ContestedRepository, waiting: Waiting
) -> None:
    added = await contender.add_entry("buy milk")
    courses = []
    for _ in range(2):
        contested.rivals = [rival_content] * 10_000
        with pytest.raises(StorageUnavailable):
            await contender.add_tag(added.id, "mine")
        courses.append(tuple(waiting.seconds))
        waiting.seconds.clear()
    for course in courses:
        assert 0 < course[0] <= 0.01
        assert all(0 < seconds <= 0.5 for seconds in course)
        assert max(course[-5:]) > 10 * max(course[:3])
        assert len(course) >= RETRIED_FOR / 0.5
    assert courses[0] != courses[1]


@pytest.mark.parametrize("error", [StorageFull("full"), StorageUnavailable("not now")])
async def test_what_a_storage_refuses_is_not_tried_again(error: TodoError) -> None:
    repository, waiting = FailingRepository(), Waiting()
    service = service_on(repository, waiting)
    added = await service.add_entry("buy milk")
    await service.check_ready()
    repository.error = error
    for refused in (
        service.check_ready(),
        service.add_entry("buy bread"),
        service.change_entry(added.id, done=True),
        service.remove_entry(added.id),
        service.put_entry(UNKNOWN, "buy bread"),
    ):
        with pytest.raises(type(error)):
            await refused
    assert waiting.seconds == []
    assert (await service.find_entries(TodoQuery())).entries == [added]


async def test_a_hundred_clients_that_each_add_a_tag_all_succeed() -> None:
    waiting = Waiting()
    service = service_on(DistantRepository(), waiting)
    added = await service.add_entry("buy milk")
    names = [f"tag-{number:02}" for number in range(100)]
    answers = await asyncio.gather(*(service.add_tag(added.id, name) for name in names))
    assert (await service.get_entry(added.id)).tags == tuple(names)
    assert len({answer.revision for answer in answers}) == 100
    assert waiting.seconds == [], "within a process nobody loses a race"


async def test_a_hundred_clients_of_several_processes_all_succeed() -> None:
    repository = DistantRepository()
    services = [TodoService(repository, lambda: NOON, lambda: UNKNOWN) for _ in range(4)]
    added = await services[0].add_entry("buy milk")
    names = [f"tag-{number:02}" for number in range(100)]
    await asyncio.gather(
        *(services[number % 4].add_tag(added.id, name) for number, name in enumerate(names))
    )
    assert (await services[0].get_entry(added.id)).tags == tuple(names)


async def test_changes_wait_only_for_those_of_the_same_entry() -> None:
    repository = HeldRepository()
    service = service_on(repository)
    slow, quick = await service.add_entry("slow"), await service.add_entry("quick")
    repository.held = slow.id
    changing = asyncio.create_task(service.add_tag(slow.id, "first"))
    following = asyncio.create_task(service.add_tag(slow.id, "second"))
    await repository.is_waited_for.wait()
    async with asyncio.timeout(30):
        assert (await service.add_tag(quick.id, "meanwhile")).tags == ("meanwhile",)
    assert not changing.done() and not following.done()
    repository.is_free.set()
    assert (await changing).tags == ("first",)
    assert (await following).tags == ("first", "second")


async def test_a_change_that_is_called_off_lets_the_next_one_through() -> None:
    repository = HeldRepository()
    service = service_on(repository)
    added = await service.add_entry("buy milk")
    repository.held = added.id
    called_off = asyncio.create_task(service.add_tag(added.id, "first"))
    await repository.is_waited_for.wait()
    called_off.cancel()
    await asyncio.wait([called_off])
    repository.is_free.set()
    async with asyncio.timeout(30):
        assert (await service.add_tag(added.id, "second")).tags == ("second",)


async def test_an_entry_can_be_read_as_it_was_at_a_revision(service: TodoService) -> None:
    added = await service.add_entry("buy milk")
    changed = await service.change_entry(added.id, content="buy oat milk")
    assert await service.get_entry(added.id, at=added.revision) == added
    assert await service.get_entry(added.id, at=changed.revision) == changed
    with pytest.raises(TodoEntryNotFound):
        await service.get_entry(added.id, at=0)


async def test_what_has_changed_can_be_followed(service: TodoService) -> None:
    milk = await service.add_entry("buy milk")
    bread = await service.add_entry("buy bread")
    done = await service.change_entry(milk.id, done=True)
    changes = [Change(None, milk), Change(None, bread), Change(milk, done)]
    assert (await service.get_changes(0, limit=100)).changes == changes
    page = await service.get_changes(1, limit=1)
    assert (page.changes, page.next) == (changes[1:2], 2)


async def test_what_has_become_of_an_entry_can_be_followed(service: TodoService) -> None:
    milk = await service.add_entry("buy milk")
    await service.add_entry("buy bread")
    done = await service.change_entry(milk.id, done=True)
    changes = [Change(None, milk), Change(milk, done)]
    assert (await service.get_changes_of(milk.id, limit=100)).changes == changes
    assert (await service.get_changes_of(milk.id, limit=1)).changes == changes[:1]
    assert (await service.get_changes_of(milk.id, since=1, limit=100)).changes == changes[1:]


async def test_as_many_changes_as_wished_for_are_not_forgotten() -> None:
    service = service_on(InMemoryTodoEntryRepository(), kept_changes=2)
    for content in ("one", "two", "three"):
        await service.add_entry(content)
    await service.forget()
    page = await service.get_changes(1, limit=100)
    assert [change.after.content for change in page.changes] == ["two", "three"]
    with pytest.raises(HistoryForgotten):
        await service.get_changes(0, limit=100)
    assert len((await service.find_entries(TodoQuery())).entries) == 3


async def _batch(service: TodoService) -> None:
    operations = [Operation(UUID(int=1), edits.remove()), Operation(None, edits.create("new"))]
    await service.carry_out(operations)


PUBLISHING: dict[str, tuple[Callable[[TodoService], Awaitable[object]], list[ChangeKind]]] = {
    "add": (lambda service: service.add_entry("buy bread"), [ChangeKind.ADDED]),
    "put": (lambda service: service.put_entry(UNKNOWN, "buy bread"), [ChangeKind.ADDED]),
    "change": (
        lambda service: service.change_entry(UUID(int=1), done=True),
        [ChangeKind.COMPLETED],
    ),
    "remove": (lambda service: service.remove_entry(UUID(int=1)), [ChangeKind.REMOVED]),
    "add tag": (lambda service: service.add_tag(UUID(int=1), "new"), [ChangeKind.EDITED]),
    "remove tag": (
        lambda service: service.remove_tag(UUID(int=1), "old"),
        [ChangeKind.EDITED],
    ),
    "batch": (_batch, [ChangeKind.REMOVED, ChangeKind.ADDED]),
    "undo": (lambda service: service.undo(1), [ChangeKind.REMOVED]),
}


@pytest.mark.parametrize(("use_case", "kinds"), PUBLISHING.values(), ids=list(PUBLISHING))
async def test_what_was_stored_is_published(
    service: TodoService,
    use_case: Callable[[TodoService], Awaitable[object]],
    kinds: Sequence[ChangeKind],
) -> None:
    added = await service.add_entry("buy milk", tags=("old",))
    published: list[Change] = []
    service.bus.subscribe(published.append)
    await use_case(service)
    await service.bus.drain()
    assert published == (await service.get_changes(added.revision, limit=100)).changes
    assert [change.kind for change in published] == kinds


async def test_what_was_not_stored_is_not_published(
    contender: TodoService, contested: ContestedRepository
) -> None:
    added = await contender.add_entry("buy milk", key=KEY)
    published: list[Change] = []
    contender.bus.subscribe(published.append)
    await contender.add_entry("buy milk", key=KEY)
    await contender.change_entry(added.id, content="buy milk")
    await contender.carry_out([Operation(added.id, edits.remove())], dry_run=True)
    contested.rivals = [rival_content]
    with pytest.raises(StaleTodoEntry):
        await contender.remove_entry(added.id, condition=Condition(revisions=frozenset([1])))
    await contender.bus.drain()
    assert published == []
