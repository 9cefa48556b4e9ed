"""The edits: what becomes of an entry that is there, and of one that is not."""

from collections.abc import Callable
from uuid import UUID

import pytest

from myapp.application import edits
from myapp.application.edits import Edit, OperationFailed
from myapp.domain.errors import (
    InvalidValue,
    TodoEntryExists,
    TodoEntryNotFound,
    TodoError,
    TooManyTags,
)
from myapp.domain.todo import TAGS_MOST, Due, Priority, TodoEntry, TodoFields
from tests.contract.entries import LATER, NOON

ID = UUID(int=7)
ENTRY = TodoEntry.create_from_content("buy oat milk", id=ID, at=NOON, tags=("shop",))
FULL = ENTRY.change(at=NOON, tags=tuple(f"tag-{number}" for number in range(TAGS_MOST)))
FIELDS = TodoFields(notes="sliced", tags=("bakery",), priority=Priority.HIGH, due=Due(NOON))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(edits.create("buy rye", done=True, **FIELDS), id="create"),
        pytest.param(edits.put("buy rye", done=True, **FIELDS), id="put"),
    ],
)
def test_what_is_not_there_is_made_under_its_id(edit: Edit) -> None:
    made = TodoEntry.create_from_content("buy rye", id=ID, at=LATER, done=True, **FIELDS)
    assert edit(ID, None, LATER) == made


@pytest.mark.parametrize("make", [edits.create, edits.put])
def test_what_is_not_said_to_be_done_is_made_open(make: Callable[[str], Edit]) -> None:
    assert not make("buy rye")(ID, None, LATER).done


@pytest.mark.parametrize(
    ("edit", "edited"),
    [
        pytest.param(
            edits.put("buy rye", done=True, **FIELDS),
            ENTRY.change(at=LATER, content="buy rye", done=True, **FIELDS),
            id="put",
        ),
        pytest.param(
            edits.change(content="buy rye", done=True, **FIELDS),
            ENTRY.change(at=LATER, content="buy rye", done=True, **FIELDS),
            id="change of everything",
        ),
        pytest.param(
            edits.change(notes="sliced"),
            ENTRY.change(at=LATER, notes="sliced"),
            id="change of one field",
        ),
        pytest.param(edits.remove(), ENTRY.remove(at=LATER), id="remove"),
        pytest.param(edits.add_tag("new"), ENTRY.add_tag("new", at=LATER), id="add tag"),
        pytest.param(
            edits.remove_tag("shop"), ENTRY.remove_tag("shop", at=LATER), id="remove tag"
        ),
    ],
)
def test_what_is_there_is_edited(edit: Edit, edited: TodoEntry) -> None:
    assert edit(ID, ENTRY, LATER) == edited


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(edits.put(" buy oat milk", tags=("shop", "shop")), id="put"),
        pytest.param(edits.change(), id="change of nothing"),
        pytest.param(edits.change(content="buy oat milk ", done=False), id="change"),
        pytest.param(edits.add_tag("shop"), id="add tag"),
        pytest.param(edits.remove_tag("new"), id="remove tag"),
    ],
)
def test_an_edit_that_changes_nothing_answers_the_very_same_entry(edit: Edit) -> None:
    assert edit(ID, ENTRY, LATER) is ENTRY


@pytest.mark.parametrize(
    ("edit", "before", "error"),
    [
        pytest.param(edits.create("new"), ENTRY, TodoEntryExists, id="create"),
        pytest.param(edits.change(content="new"), None, TodoEntryNotFound, id="change"),
        pytest.param(edits.remove(), None, TodoEntryNotFound, id="remove"),
        pytest.param(edits.add_tag("new"), None, TodoEntryNotFound, id="add tag"),
        pytest.param(edits.remove_tag("new"), None, TodoEntryNotFound, id="remove tag"),
        pytest.param(edits.add_tag("new"), FULL, TooManyTags, id="add one tag too many"),
    ],
)
def test_an_edit_fails_by_the_entry_that_is_there_or_is_not(
    edit: Edit, before: TodoEntry | None, error: type[TodoError]
) -> None:
    with pytest.raises(error, match=str(ID)):
        edit(ID, before, LATER)


@pytest.mark.parametrize(
    ("edit", "before"),
    [
        pytest.param(edits.create(""), None, id="create"),
        pytest.param(edits.put(""), None, id="put something new"),
        pytest.param(edits.put(""), ENTRY, id="put"),
        pytest.param(edits.change(content=""), ENTRY, id="change"),
        pytest.param(edits.add_tag("a b"), ENTRY, id="add tag"),
        pytest.param(edits.remove_tag("a b"), ENTRY, id="remove tag"),
    ],
)
def test_what_breaks_a_rule_of_the_entry_is_refused_when_it_is_made(
    edit: Edit, before: TodoEntry | None
) -> None:
    with pytest.raises(InvalidValue):
        edit(ID, before, LATER)


def test_an_operation_that_failed_is_told_by_its_index_and_its_error() -> None:
    error = OperationFailed(3, TodoEntryNotFound(ID))
    assert isinstance(error, TodoError)
    assert (error.index, str(error.error)) == (3, str(TodoEntryNotFound(ID)))
    assert "3" in str(error) and str(ID) in str(error)
