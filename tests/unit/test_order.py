"""An order against a sorted list, of enough entries for several pieces of both its parts."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
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
    order = Order(Sort.DUE, entries)
    removed = {entry.id.int for entry in entries[::3]}
    for entry in entries[::3]:
        order.change(entry, None)

    ids = sorted_ids(entries, descending=descending)
    left = iter([entry_id for entry_id in ids if entry_id not in removed])
    keys = {entry.id.int: entry.due_moment for entry in entries}
    following = next(left)
    for entry_id in ids:
        if entry_id == following:
            following = next(left, -1)
        start = Position(keys[entry_id], UUID(int=entry_id))
        assert next(order.walk(start, descending=descending), -1) == following


def test_an_order_follows_entries_that_come_change_and_go() -> None:
    random = Random(2)
    entries = list(entries_of(random, 10))
    order = Order(Sort.DUE, entries)
    check(order, entries)

    for entry in entries_of(random, MANY):
        order.change(None, entry)
        entries.append(entry)
    check(order, entries)

    for number, before in islice(enumerate(entries), 0, None, 2):
        entries[number] = before.change(due=_due(random), at=NOON)
        order.change(before, entries[number])
    check(order, entries)

    places = {id: number for number, id in enumerate(sorted_ids(entries, descending=False))}
    entries.sort(key=lambda entry: places[entry.id.int])
    while entries:  # the last one first
        for entry in reversed(entries[-1_000:]):
            order.change(entry, None)
        del entries[-1_000:]
        check(order, entries)

    entries = list(entries_of(random, 10))
    for entry in entries:
        order.change(None, entry)
    check(order, entries)


def check(order: Order, entries: Sequence[TodoEntry]) -> None:
    """Compare all of an order, in both directions."""
    for descending in (False, True):
        ids = sorted_ids(entries, descending=descending)
        assert list(order.walk(None, descending=descending)) == ids


def sorted_ids(entries: Iterable[TodoEntry], *, descending: bool) -> list[int]:
    """Answer ids by when entries are due, and those of entries that never are at the end."""
    due = [(entry.due_moment, entry.id.int) for entry in entries if entry.due_moment]
    never = [entry.id.int for entry in entries if not entry.due_moment]
    return [
        *(entry_id for _, entry_id in sorted(due, reverse=descending)),
        *sorted(never, reverse=descending),
    ]


def entries_of(random: Random, number: int) -> Iterator[TodoEntry]:
    """Answer so many new entries, of which some are due, and some of these at once."""
    for _ in range(number):
        yield new_entry(id=UUID(int=random.getrandbits(128)), due=_due(random))


def _due(random: Random) -> Due | None:
    minutes = random.randrange(1_100)
    return Due(NOON + timedelta(minutes=minutes)) if minutes < 1_000 else None
