"""An order against a sorted list, of enough entries for several pieces of both its parts."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from myapp.domain.todo import Due, TodoEntry
from myapp.domain.todo_entry_repository import Position, Sort
from myapp.infrastructure.database.order import Order
from tests.contract.entries import NOON, new_entry

MANY = 3_200


@pytest.mark.parametrize("descending", [False, True])
def test_an_order_goes_on_after_any_entry_and_where_one_was(descending: bool) -> None:
    entries = list(entries_of(Random(1), MANY))
    stored = Stored(entries)
    removed = {entry.id for entry in entries[::3]}
    for entry in entries[::3]:
        stored.change(entry, None)

    in_order = sorted_entries(entries, descending=descending)
    left = iter([entry for entry in in_order if entry.id not in removed])
    following: TodoEntry | None = next(left)
    for entry in in_order:
        if entry is following:
            following = next(left, None)
        start = Position(entry.due_moment, entry.id)
        assert next(stored.order.walk(start, descending=descending), None) is following


def test_an_order_follows_entries_that_come_change_and_go() -> None:
    random = Random(2)
    stored = Stored(entries_of(random, 10))
    stored.check()

    for entry in entries_of(random, MANY):
        stored.change(None, entry)
    stored.check()

    for before in list(stored.states.values())[::2]:
        stored.change(before, before.change(due=_due(random), at=NOON))
    stored.check()

    for before in list(stored.states.values())[::2]:  # which stay where they are
        stored.change(before, before.change(content="something else", at=NOON))
    stored.check()

    entries = sorted_entries(stored.states.values(), descending=False)
    while entries:  # the last one first
        for entry in reversed(entries[-1_000:]):
            stored.change(entry, None)
        del entries[-1_000:]
        stored.check()

    for entry in entries_of(random, 10):
        stored.change(None, entry)
    stored.check()


def test_what_changes_while_an_order_is_prepared_is_taken_in() -> None:
    random = Random(3)
    stored = Stored(entries_of(random, 10 * MANY))
    changed = list(stored.states.values())[::5]
    preparing = stored.order.prepare()
    next(preparing)

    for _ in range(2):
        for entry in changed:
            before = stored.states[entry.id.int]
            stored.change(before, before.change(due=_due(random), at=NOON))
    for entry in entries_of(random, 100):
        stored.change(None, entry)
        stored.change(entry, entry.change(due=_due(random), at=NOON))
    for entry in changed[::2]:
        stored.change(stored.states[entry.id.int], None)
    assert len(list(preparing)) > 1

    stored.check()


def test_others_have_their_turns_while_many_changes_are_taken_in() -> None:
    random = Random(6)
    stored = Stored(entries_of(random, 10))
    stored.check()
    for entry in entries_of(random, MANY):
        stored.change(None, entry)
    assert stored.order.behind == MANY
    preparing = stored.order.prepare()
    next(preparing)
    assert 0 < stored.order.behind < MANY

    for entry in entries_of(random, 10):
        stored.change(None, entry)
    assert len(list(preparing)) > 1
    assert stored.order.behind == 0

    stored.check()


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("number", [10, 0])
def test_no_entry_is_taken_for_another(number: int, is_moved: bool) -> None:
    entries = list(entries_of(Random(4), number))
    stored = Stored(entries)
    stored.check()
    unknown = new_entry("never stored")
    after = unknown.change(due=_due(Random(5)), at=NOON) if is_moved else None

    for change in (after, unknown.stored(1)):
        stored.order.change(unknown, change)
        with pytest.raises(LookupError):
            stored.order.walk(None, descending=False)

    stored.check()


class Stored:
    """Entries that are stored, and an order of them."""

    def __init__(self, entries: Iterable[TodoEntry]) -> None:
        self.states = {entry.id.int: entry for entry in entries}
        self.order = Order(Sort.DUE, list(self.states.values()))

    def change(self, before: TodoEntry | None, after: TodoEntry | None) -> None:
        """Store what becomes of an entry."""
        if before is not None:
            del self.states[before.id.int]
        if after is not None:
            self.states[after.id.int] = after
        self.order.change(before, after)

    def check(self) -> None:
        """Compare all of the order, in both directions."""
        for descending in (False, True):
            entries = sorted_entries(self.states.values(), descending=descending)
            assert list(self.order.walk(None, descending=descending)) == entries


def sorted_entries(entries: Iterable[TodoEntry], *, descending: bool) -> list[TodoEntry]:
    """Answer entries by when they are due, and those that never are at the end."""
    due = [(entry.due_moment, entry.id.int, entry) for entry in entries if entry.due_moment]
    never = [(entry.id.int, entry) for entry in entries if not entry.due_moment]
    return [
        *(entry for _, _, entry in sorted(due, reverse=descending)),
        *(entry for _, entry in sorted(never, reverse=descending)),
    ]


def entries_of(random: Random, number: int) -> Iterator[TodoEntry]:
    """Answer so many new entries, of which some are due, and some of these at once."""
    for _ in range(number):
        yield new_entry(id=UUID(int=random.getrandbits(128)), due=_due(random))


def _due(random: Random) -> Due | None:
    minutes = random.randrange(1_100)
    return Due(NOON + timedelta(minutes=minutes)) if minutes < 1_000 else None
