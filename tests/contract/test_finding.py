"""Every repository: which entries a query finds, in which order, page by page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.todo import TAGS_MOST, Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import (
    PAGE_DEFAULT,
    PAGE_MOST,
    SORTED_CONTENT,
    Position,
    Sort,
    TodoEntryRepository,
    TodoQuery,
)
from tests.contract.entries import (
    LATER,
    NOON,
    contents_of,
    entries_of,
    new_entry,
    pages_of,
    save,
)
from tests.contract.storages import Storage
from tests.realistic_entries import BEGINNING, realistic_entries
from tests.saving import save_all

MICROSECOND = timedelta(microseconds=1)
CHRISTMAS_EVE = date(2026, 12, 24)
END_OF_CHRISTMAS_EVE = datetime(2026, 12, 24, 23, 59, 59, 999_999, tzinfo=UTC)
FIVE_O_CLOCK = datetime(2026, 12, 24, 17, tzinfo=UTC)

ORDERS = [(sort, descending) for sort in Sort for descending in (False, True)]

VARIED = [
    new_entry("plain"),
    new_entry("day", due=Due(CHRISTMAS_EVE), priority=Priority.LOW, tags=("home",)),
    new_entry("moment", due=Due(FIVE_O_CLOCK), priority=Priority.HIGH, tags=("Home",)),
    new_entry("done", done=True, at=NOON, tags=("home", "shop")),
    new_entry("late", done=True, at=LATER, due=Due(NOON), priority=Priority.MEDIUM),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param(TodoQuery(), "plain day moment done late", id="everything"),
        pytest.param(TodoQuery(done=False), "plain day moment", id="open"),
        pytest.param(TodoQuery(done=True), "done late", id="done"),
        pytest.param(TodoQuery(tags=frozenset(["home"])), "day done", id="tag"),
        pytest.param(TodoQuery(tags=frozenset(["Home"])), "moment", id="case of a tag"),
        pytest.param(TodoQuery(tags=frozenset(["hom"])), "", id="part of a tag"),
        pytest.param(TodoQuery(tags=frozenset(["home", "shop"])), "done", id="both tags"),
        pytest.param(TodoQuery(tags=frozenset(["home", "Home"])), "", id="tags apart"),
        pytest.param(
            TodoQuery(priorities=frozenset([Priority.NONE])), "plain done", id="priority"
        ),
        pytest.param(
            TodoQuery(priorities=frozenset([Priority.LOW, Priority.HIGH])),
            "day moment",
            id="either priority",
        ),
        pytest.param(
            TodoQuery(due_before=END_OF_CHRISTMAS_EVE),
            "moment late",
            id="due before the end of the day",
        ),
        pytest.param(
            TodoQuery(due_before=END_OF_CHRISTMAS_EVE + MICROSECOND),
            "day moment late",
            id="due before the next day",
        ),
        pytest.param(TodoQuery(due_before=FIVE_O_CLOCK), "late", id="due before the moment"),
        pytest.param(
            TodoQuery(due_after=FIVE_O_CLOCK), "day moment", id="due after the moment"
        ),
        pytest.param(
            TodoQuery(due_after=FIVE_O_CLOCK + MICROSECOND), "day", id="due just after it"
        ),
        pytest.param(
            TodoQuery(due_after=END_OF_CHRISTMAS_EVE), "day", id="due after the day's end"
        ),
        pytest.param(
            TodoQuery(due_after=END_OF_CHRISTMAS_EVE + MICROSECOND), "", id="due later"
        ),
        pytest.param(
            TodoQuery(due_after=NOON, due_before=END_OF_CHRISTMAS_EVE),
            "moment late",
            id="due between",
        ),
        pytest.param(
            TodoQuery(due_after=FIVE_O_CLOCK, due_before=FIVE_O_CLOCK), "", id="due never"
        ),
        pytest.param(TodoQuery(completed_before=NOON), "", id="completed before the first"),
        pytest.param(TodoQuery(completed_before=LATER), "done", id="completed before"),
        pytest.param(TodoQuery(completed_after=NOON), "done late", id="completed after"),
        pytest.param(
            TodoQuery(completed_after=NOON + MICROSECOND), "late", id="completed just after"
        ),
        pytest.param(
            TodoQuery(completed_after=NOON, completed_before=LATER),
            "done",
            id="completed between",
        ),
        pytest.param(
            TodoQuery(done=True, due_after=NOON, tags=frozenset(["shop"])),
            "",
            id="conditions that hold one at a time",
        ),
        pytest.param(
            TodoQuery(
                search="o",
                done=False,
                tags=frozenset(["Home"]),
                priorities=frozenset([Priority.HIGH]),
                due_after=NOON,
                due_before=END_OF_CHRISTMAS_EVE,
            ),
            "moment",
            id="conditions that hold together",
        ),
    ],
)
async def test_every_condition_of_a_query_must_hold(
    repository: TodoEntryRepository, query: TodoQuery, found: str
) -> None:
    await repository.save(*VARIED)
    assert set(await contents_of(repository, query)) == set(found.split())
    page = await repository.find(replace(query, counted=True))
    assert page.total == len(found.split())


async def test_conditions_follow_the_changes_of_an_entry(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry(tags=("home",), due=Due(NOON)))
    queries = [
        TodoQuery(done=False),
        TodoQuery(tags=frozenset(["home"])),
        TodoQuery(priorities=frozenset([Priority.NONE])),
        TodoQuery(due_before=LATER),
    ]
    for query in queries:
        assert await entries_of(repository, query) == [stored]
    changed = stored.change(at=LATER, done=True, tags=(), priority=Priority.LOW, due=None)
    await repository.save(changed)
    for query in queries:
        assert await entries_of(repository, query) == []


def _against_their_ids(*entries: TodoEntry) -> list[TodoEntry]:
    """Answer the entries in this order, which the order of their ids then contradicts."""
    return [replace(entry, id=UUID(int=99 - place)) for place, entry in enumerate(entries)]


SORTED = {
    Sort.CREATED: _against_their_ids(
        new_entry(at=datetime.min.replace(tzinfo=UTC)),
        new_entry(at=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        new_entry(at=NOON),
        new_entry(at=NOON + MICROSECOND),
        new_entry(at=datetime.max.replace(tzinfo=UTC)),
    ),
    Sort.UPDATED: _against_their_ids(
        replace(new_entry(at=LATER), updated_at=NOON - MICROSECOND),
        replace(new_entry(at=NOON), updated_at=NOON),
        replace(new_entry(at=NOON - MICROSECOND), updated_at=LATER),
    ),
    Sort.DUE: _against_their_ids(
        new_entry(due=Due(date.min)),
        new_entry(due=Due(NOON)),
        new_entry(due=Due(FIVE_O_CLOCK)),
        new_entry(due=Due(CHRISTMAS_EVE)),
        new_entry(due=Due(END_OF_CHRISTMAS_EVE + MICROSECOND)),
        new_entry(due=Due(date.max)),
    ),
    Sort.PRIORITY: _against_their_ids(
        new_entry(priority=Priority.NONE),
        new_entry(priority=Priority.LOW),
        new_entry(priority=Priority.MEDIUM),
        new_entry(priority=Priority.HIGH),
    ),
    Sort.CONTENT: _against_their_ids(
        new_entry("%"),
        new_entry("a b"),
        new_entry("A-b"),
        new_entry("a_b"),
        new_entry("AB"),
        new_entry("abc"),
        new_entry("STRASSE"),
        new_entry("straße x"),
        new_entry("Zebra"),
        new_entry("Äpfel"),
        new_entry("e\u0301clair"),
        new_entry("ﾊ"),
        new_entry("𐐀"),
        new_entry("😀"),
    ),
}


@pytest.mark.parametrize("sort", Sort)
async def test_entries_stand_in_the_order_of_their_keys_either_way(
    repository: TodoEntryRepository, sort: Sort
) -> None:
    in_order = [entry.id for entry in SORTED[sort]]
    middle = len(in_order) // 2
    await repository.save(*SORTED[sort][middle:], *SORTED[sort][:middle])
    ascending = await entries_of(repository, TodoQuery(sort=sort))
    descending = await entries_of(repository, TodoQuery(sort=sort, descending=True))
    assert [entry.id for entry in ascending] == in_order
    assert [entry.id for entry in descending] == in_order[::-1]


@pytest.mark.parametrize("sort", Sort)
async def test_ties_stand_in_the_order_of_their_ids_either_way(
    repository: TodoEntryRepository, sort: Sort
) -> None:
    numbers = [2**127, 1, 2**128 - 1, 2**64, 255, 256, 2**64 - 1, 0]
    await repository.save(
        *(new_entry(id=UUID(int=number), due=Due(NOON)) for number in numbers)
    )
    ascending = await entries_of(repository, TodoQuery(sort=sort))
    descending = await entries_of(repository, TodoQuery(sort=sort, descending=True))
    assert [entry.id.int for entry in ascending] == sorted(numbers)
    assert [entry.id.int for entry in descending] == sorted(numbers, reverse=True)


async def test_entries_without_a_due_date_come_last_either_way(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(
        new_entry("never b", id=UUID(int=5)),
        new_entry("soon", id=UUID(int=4), due=Due(NOON)),
        new_entry("never a", id=UUID(int=3)),
        new_entry("later", id=UUID(int=2), due=Due(CHRISTMAS_EVE)),
        new_entry("never c", id=UUID(int=6)),
    )
    for limit in (1, 2, 3, 100):
        query = TodoQuery(sort=Sort.DUE, limit=limit)
        assert await contents_of(repository, query) == [
            "soon",
            "later",
            "never a",
            "never b",
            "never c",
        ]
        assert await contents_of(repository, replace(query, descending=True)) == [
            "later",
            "soon",
            "never c",
            "never b",
            "never a",
        ]


@pytest.mark.parametrize(
    ("first", "second", "is_tie"),
    [
        pytest.param("x" * 100 + "b", "x" * 100 + "a", True, id="beyond what is compared"),
        pytest.param("x" * 99 + "b", "x" * 99 + "a", False, id="the last that is compared"),
        pytest.param("ß" * 50 + "b", "ß" * 50 + "a", True, id="folded to twice as many"),
        pytest.param("ß" * 49 + "xb", "ß" * 49 + "xa", False, id="folded up to the last"),
        pytest.param("😀" * 100 + "b", "😀" * 100 + "a", True, id="not counted as UTF-16"),
        pytest.param("😀" * 99 + "b", "😀" * 99 + "a", False, id="nor as UTF-8"),
        pytest.param("é" * 99 + "b", "e\u0301" * 99 + "a", False, id="counted composed"),
        pytest.param("é" * 100 + "b", "e\u0301" * 100 + "a", True, id="compared composed"),
        pytest.param("STRASSE", "straße", True, id="the same folded"),
    ],
)
async def test_content_is_compared_by_the_beginning_of_its_folded_text(
    repository: TodoEntryRepository, first: str, second: str, is_tie: bool
) -> None:
    low, high = UUID(int=1), UUID(int=2)
    await repository.save(new_entry(first, id=low), new_entry(second, id=high))
    query = TodoQuery(sort=Sort.CONTENT, limit=1)
    in_order = [low, high] if is_tie else [high, low]
    assert [entry.id for entry in await entries_of(repository, query)] == in_order
    turned = replace(query, descending=True)
    assert [entry.id for entry in await entries_of(repository, turned)] == in_order[::-1]
    page = await repository.find(query)
    assert page.next is not None and isinstance(page.next.key, str)
    assert len(page.next.key) <= SORTED_CONTENT


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
async def test_an_order_follows_the_changes_of_its_entries(
    repository: TodoEntryRepository, sort: Sort, descending: bool
) -> None:
    query = TodoQuery(sort=sort, descending=descending)
    one, two, gone = await save_all(
        repository,
        new_entry("b", due=Due(NOON), priority=Priority.LOW),
        new_entry("c", due=Due(LATER), priority=Priority.MEDIUM, at=LATER),
        new_entry("gone"),
    )
    assert len(await entries_of(repository, query)) == 3
    moved = replace(
        two.change(at=NOON, content="a", due=None, priority=Priority.NONE),
        created_at=NOON - MICROSECOND,
        updated_at=NOON - MICROSECOND,
    )
    added = new_entry("d", due=Due(LATER), priority=Priority.HIGH, at=LATER)
    await repository.save(moved, gone.remove(at=LATER), added)
    in_order = [moved.id, one.id, added.id]
    if sort is Sort.DUE:
        in_order = [added.id, one.id, moved.id] if descending else [one.id, added.id, moved.id]
    elif descending:
        in_order.reverse()
    assert [entry.id for entry in await entries_of(repository, query)] == in_order


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
async def test_pages_of_any_size_hold_together_what_one_page_holds(
    repository: TodoEntryRepository, sort: Sort, descending: bool
) -> None:
    await repository.save(*realistic_entries(40))
    query = TodoQuery(sort=sort, descending=descending)
    everything = (await repository.find(query)).entries
    assert len(everything) == 40
    for limit in (1, 7, 8, 39, 40, 41):
        pages = await pages_of(repository, replace(query, limit=limit))
        assert [entry for page in pages for entry in page.entries] == list(everything)
        assert {len(page.entries) for page in pages[:-1]} <= {limit}
        assert pages[-1].entries


async def test_a_page_tells_where_to_go_on_only_if_there_is_more(
    repository: TodoEntryRepository,
) -> None:
    stored = await save_all(repository, new_entry("a"), new_entry("b"), new_entry("not this"))
    page = await repository.find(TodoQuery(limit=2))
    assert page.next == Position(stored[1].created_at, stored[1].id)
    assert (await repository.find(TodoQuery(limit=3))).next is None
    await save(repository, stored[2].complete(at=LATER))
    assert (await repository.find(TodoQuery(limit=2, done=False))).next is None


async def test_an_empty_repository_has_one_empty_page(repository: TodoEntryRepository) -> None:
    page = await repository.find(TodoQuery(counted=True))
    assert (list(page.entries), page.next, page.total) == ([], None, 0)


async def test_a_page_holds_as_many_entries_as_asked_for(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(*realistic_entries(PAGE_MOST + 1))
    assert len((await repository.find(TodoQuery())).entries) == PAGE_DEFAULT
    page = await repository.find(TodoQuery(limit=PAGE_MOST))
    assert len(page.entries) == PAGE_MOST
    assert page.next is not None


async def test_the_total_counts_the_matching_entries_of_all_pages(
    repository: TodoEntryRepository,
) -> None:
    stored = await save_all(repository, *realistic_entries(60))
    done = sum(entry.done for entry in stored)
    assert 2 < done < 60
    pages = await pages_of(repository, TodoQuery(done=True, limit=2, counted=True))
    assert {page.total for page in pages} == {done}
    assert (await repository.find(TodoQuery(counted=True, limit=1))).total == 60
    unmatched = TodoQuery(search="no entry has this", counted=True)
    assert (await repository.find(unmatched)).total == 0
    assert (await repository.find(TodoQuery())).total is None


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
async def test_a_page_follows_a_position_whose_entry_is_gone(
    repository: TodoEntryRepository, sort: Sort, descending: bool
) -> None:
    await repository.save(*(replace(entry, tags=()) for entry in realistic_entries(12)))
    query = TodoQuery(sort=sort, descending=descending, limit=1)
    expected = await entries_of(repository, query)
    walked: list[TodoEntry] = []
    start: Position | None = None
    for _ in expected:
        page = await repository.find(replace(query, start=start))
        (entry,) = page.entries
        walked.append(entry)
        await repository.save(entry.remove(at=LATER))
        start = page.next
    assert walked == expected
    assert start is None


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
async def test_nothing_follows_the_last_position(
    repository: TodoEntryRepository, sort: Sort, descending: bool
) -> None:
    await repository.save(*realistic_entries(5))
    query = TodoQuery(sort=sort, descending=descending)
    last = (await entries_of(repository, query))[-1]
    beyond = replace(query, start=Position(sort.key(last), last.id))
    assert not (await repository.find(beyond)).entries


Event = tuple[str, int]
EVENTS = st.tuples(
    st.sampled_from(["create", "tag", "move", "remove"]),
    st.integers(min_value=0, max_value=2**128 - 1),
)


@given(
    order=st.sampled_from(ORDERS),
    limit=st.integers(min_value=1, max_value=4),
    between_pages=st.lists(st.lists(EVENTS, max_size=4), min_size=1, max_size=8),
)
@settings(max_examples=40)
async def test_an_entry_whose_key_stays_is_seen_once_whatever_comes_and_goes(
    storage: Storage,
    order: tuple[Sort, bool],
    limit: int,
    between_pages: Sequence[Sequence[Event]],
) -> None:
    sort, descending = order
    query = TodoQuery(sort=sort, descending=descending, limit=limit)
    moved: set[UUID] = set()
    seen: list[UUID] = []
    with TemporaryDirectory() as folder:
        async with storage.open(Path(folder)) as repository:
            there_all_along = await save_all(repository, *realistic_entries(10))
            for events in chain(between_pages, repeat(())):
                page = await repository.find(query)
                seen += [entry.id for entry in page.entries]
                assert page.next is None or page.next != query.start, "stuck at a position"
                if page.next is None:
                    break
                for event in events:
                    moved |= await _happen(repository, event, sort)
                query = replace(query, start=page.next)
    unmoved = [entry_id for entry_id in seen if entry_id not in moved]
    assert len(unmoved) == len(set(unmoved))
    assert {entry.id for entry in there_all_along} - moved <= set(seen)


async def _happen(repository: TodoEntryRepository, event: Event, sort: Sort) -> set[UUID]:
    """Let something happen, and answer whose key has changed or who is gone."""
    kind, number = event
    present = {entry.id: entry for entry in await entries_of(repository)}
    if kind == "create" and UUID(int=number) not in present or not present:
        await repository.save(_created(number))
        return set()
    before = list(present.values())[number % len(present)]
    if kind == "remove":
        after = before.remove(at=LATER)
    elif kind == "move":
        after = before.change(at=LATER, content=f"{number}", priority=Priority.LOW, due=None)
    else:
        after = before.add_tag(f"tag-{number}", at=LATER)
    if after is not before:
        await repository.save(after)
    stays = after.removed_at is None and sort.key(after) == sort.key(before)
    return set() if stays else {before.id}


def _created(number: int) -> TodoEntry:
    """Answer an entry whose keys lie among those of the realistic ones."""
    moment = BEGINNING + timedelta(seconds=number % 1_000)
    return new_entry(
        f"{number}",
        id=UUID(int=number),
        at=moment,
        priority=list(Priority)[number % len(Priority)],
        due=Due(moment) if number % 2 else None,
    )


@pytest.mark.parametrize("wanted", [TAGS_MOST, TAGS_MOST + 1, 2_000])
async def test_all_tags_asked_for_must_be_there_however_many(
    repository: TodoEntryRepository, wanted: int
) -> None:
    tags = tuple(f"tag-{number}" for number in range(TAGS_MOST))
    await repository.save(new_entry("all", tags=tags), new_entry("fewer", tags=tags[1:]))
    query = TodoQuery(tags=frozenset(f"tag-{number}" for number in range(wanted)))
    assert await contents_of(repository, query) == (["all"] if wanted == TAGS_MOST else [])
