"""Changes: what their states say they did, and how they are taken back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.domain.change import Change, ChangedSince, ChangeKind
from myapp.domain.errors import TodoError
from myapp.domain.todo import Due, Priority, TodoEntry
from tests.contract import entries as arbitrary
from tests.contract.entries import LATER, NOON

MUCH_LATER = NOON + timedelta(days=1)

OPEN = replace(
    TodoEntry.create_from_content(
        "buy oat milk",
        id=UUID(int=7),
        at=NOON,
        notes="unsweetened",
        tags=("home", "shop"),
        priority=Priority.LOW,
        due=Due(MUCH_LATER),
    ),
    revision=1,
)
DONE = OPEN.complete(at=LATER)
REMOVED = OPEN.remove(at=LATER)
REMOVED_DONE = DONE.remove(at=LATER)


def stored_over(before: TodoEntry | None, after: TodoEntry) -> Change:
    """Answer the change as a storage that holds the state before makes it."""
    revision = before.revision + 1 if before else 1
    return Change(before, replace(after, revision=revision))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, OPEN, ChangeKind.ADDED),
        (None, DONE, ChangeKind.ADDED),
        (None, REMOVED, ChangeKind.REMOVED),
        (OPEN, OPEN.change(at=LATER, content="buy rye"), ChangeKind.EDITED),
        (OPEN, OPEN.add_tag("new", at=LATER), ChangeKind.EDITED),
        (DONE, DONE.remove_tag("home", at=LATER), ChangeKind.EDITED),
        (DONE, replace(DONE, completed_at=MUCH_LATER), ChangeKind.EDITED),
        (OPEN, DONE, ChangeKind.COMPLETED),
        (OPEN, DONE.change(at=LATER, content="buy rye"), ChangeKind.COMPLETED),
        (DONE, OPEN, ChangeKind.REOPENED),
        (DONE, OPEN.change(at=LATER, notes=""), ChangeKind.REOPENED),
        (OPEN, REMOVED, ChangeKind.REMOVED),
        (DONE, REMOVED_DONE, ChangeKind.REMOVED),
        (OPEN, REMOVED_DONE, ChangeKind.REMOVED),
        (DONE, REMOVED, ChangeKind.REMOVED),
        (REMOVED, OPEN, ChangeKind.RESTORED),
        (REMOVED, DONE, ChangeKind.RESTORED),
        (REMOVED_DONE, OPEN, ChangeKind.RESTORED),
        (REMOVED_DONE, DONE, ChangeKind.RESTORED),
    ],
)
def test_every_pair_of_states_has_its_kind(
    before: TodoEntry | None, after: TodoEntry, kind: ChangeKind
) -> None:
    assert stored_over(before, after).kind is kind


def test_a_change_is_known_by_its_revision_its_entry_and_its_time() -> None:
    change = Change(OPEN, replace(DONE, revision=17))
    assert (change.revision, change.entry_id, change.at) == (17, OPEN.id, LATER)


def test_a_change_has_the_tags_from_before_and_after_it() -> None:
    assert Change(None, OPEN).tags == {"home", "shop"}
    retagged = OPEN.remove_tag("home", at=LATER).add_tag("new", at=LATER)
    assert stored_over(OPEN, retagged).tags == {"home", "shop", "new"}
    assert stored_over(OPEN, REMOVED).tags == {"home", "shop"}


@st.composite
def lives(draw: st.DrawFn) -> Sequence[Change]:
    """Answer what became of one entry: its states are arbitrary, and some are removed."""
    states = draw(st.lists(arbitrary.entries, min_size=1, max_size=5))
    changes: list[Change] = []
    before: TodoEntry | None = None
    for state in states:
        after = replace(state, id=states[0].id)
        if before is not None and not before.removed and draw(st.booleans()):
            after = after.remove(at=draw(arbitrary.moments))
        changes.append(stored_over(before, after))
        before = changes[-1].after
    return changes


@given(life=lives())
def test_a_kind_never_disagrees_with_the_states(life: Sequence[Change]) -> None:
    there = done = known = False
    for change in life:
        match change.kind:
            case ChangeKind.ADDED:
                assert not known
                there, done = True, change.after.done
            case ChangeKind.RESTORED:
                assert known and not there
                there, done = True, change.after.done
            case ChangeKind.REMOVED:
                assert there
                there = False
            case ChangeKind.COMPLETED:
                assert there and not done
                done = True
            case ChangeKind.REOPENED:
                assert there and done
                done = False
            case ChangeKind.EDITED:
                assert there
        known = True
        assert there is not change.after.removed
        assert not there or done is change.after.done


OPPOSITES = {
    ChangeKind.ADDED: ChangeKind.REMOVED,
    ChangeKind.REMOVED: ChangeKind.RESTORED,
    ChangeKind.RESTORED: ChangeKind.REMOVED,
    ChangeKind.COMPLETED: ChangeKind.REOPENED,
    ChangeKind.REOPENED: ChangeKind.COMPLETED,
    ChangeKind.EDITED: ChangeKind.EDITED,
}


@given(life=lives(), at=arbitrary.moments)
def test_an_undo_is_a_change_to_the_state_before(life: Sequence[Change], at: datetime) -> None:
    change = life[-1]
    undone = change.undo(at=at)
    assert (undone.id, undone.revision) == (change.entry_id, change.revision)
    assert stored_over(change.after, undone).at == at
    assert undone.removed_at in (None, at)
    assert stored_over(change.after, undone).kind is OPPOSITES[change.kind]
    assert what_readers_see(undone) == what_readers_see(change.before)


@given(life=lives(), at=arbitrary.moments)
def test_an_undo_of_an_undo_gives_the_state_back(life: Sequence[Change], at: datetime) -> None:
    change = life[-1]
    undone = stored_over(change.after, change.undo(at=at))
    redone = stored_over(undone.after, undone.undo(at=at))
    assert redone.kind is {ChangeKind.ADDED: ChangeKind.RESTORED}.get(change.kind, change.kind)
    assert what_readers_see(redone.after) == what_readers_see(change.after)


def what_readers_see(state: TodoEntry | None) -> TodoEntry | None:
    """Answer a state but for when, and under which number, it was stored."""
    if state is None or state.removed:
        return None
    return replace(state, updated_at=NOON, revision=0)


def test_a_completion_that_is_undone_twice_keeps_its_moment() -> None:
    reopened = stored_over(DONE, DONE.reopen(at=MUCH_LATER))
    assert reopened.undo(at=MUCH_LATER).completed_at == LATER


@pytest.mark.parametrize("current", [None, DONE], ids=["removed", "there"])
def test_a_change_that_was_overtaken_is_told_with_what_came_of_its_entry(
    current: TodoEntry | None,
) -> None:
    change = Change(OPEN, replace(DONE, revision=17))
    error = ChangedSince(change, current)
    assert isinstance(error, TodoError)
    assert (error.change, error.current) == (change, current)
    assert str(OPEN.id) in str(error) and "17" in str(error)
