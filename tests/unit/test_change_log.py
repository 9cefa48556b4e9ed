"""The history in memory, which keeps lists of changes for few entries only."""

from collections.abc import Iterator
from random import Random
from uuid import UUID

import pytest

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.change_log import ChangeLog
from tests.contract.entries import LATER, NOON, new_entry


def _changing(entries: int, changes: int, *, seed: int) -> Iterator[Change]:
    """Answer changes of entries as a store makes them, some of which remove or restore one."""
    random = Random(seed)  # the same each time
    ids = [new_entry().id for _ in range(entries)]
    states: dict[UUID, TodoEntry] = {}
    for revision in range(1, changes + 1):
        entry_id = random.choice(ids)
        before = states.get(entry_id)
        if before is None:
            after = new_entry(id=entry_id)
        elif before.removed:
            after = before.revert(new_entry(id=entry_id), at=LATER)
        else:
            after = (
                before.complete(at=LATER) if random.random() < 0.7 else before.remove(at=NOON)
            )
        states[entry_id] = after.stored(revision)
        yield Change(before, states[entry_id])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("entries", [3, 30, 300])
def test_the_changes_of_an_entry_are_those_among_all(entries: int, seed: int) -> None:
    log, random = ChangeLog(), Random(seed)
    made: list[Change] = []
    for change in _changing(entries, 400, seed=seed):
        log.put(change)
        made.append(change)
        if random.random() < 0.02:
            log.forget_until(random.randint(log.begin, change.revision))

    kept = [change for change in made if change.revision > log.begin]
    assert list(log.changes()) == kept
    lasts = {change.entry_id: change.after for change in made}
    for last in lasts.values():
        for since in (log.begin, log.begin + 7, last.revision - 1, last.revision):
            assert list(log.changes_of(last, since)) == [
                change
                for change in kept
                if change.entry_id == last.id and change.revision > since
            ]
