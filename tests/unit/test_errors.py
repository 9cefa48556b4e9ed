"""The errors of the domain: what they carry and what they say."""

from uuid import UUID

import pytest

from myapp.domain.errors import (
    ChangeNotFound,
    HistoryForgotten,
    InvalidValue,
    KeyReused,
    ReceiptExists,
    StaleTodoEntry,
    StorageFull,
    StorageUnavailable,
    TodoEntryExists,
    TodoEntryNotFound,
    TodoError,
    TooManyTags,
)

ID = UUID("7d444840-9dc0-41d1-b245-5ffdce74fad2")
OTHER_ID = UUID("0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e")


@pytest.mark.parametrize(
    "error",
    [
        InvalidValue("content", "must not be empty"),
        TodoEntryNotFound(ID),
        TodoEntryExists(ID),
        StaleTodoEntry(ID),
        ChangeNotFound(7),
        HistoryForgotten(3, 5),
        ReceiptExists("8e03978e"),
        KeyReused("8e03978e"),
        TooManyTags(ID, 100),
        StorageUnavailable("not now"),
        StorageFull("no space"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_has_one_root_and_says_what_went_wrong(error: Exception) -> None:
    assert isinstance(error, TodoError)
    assert str(error)


def test_an_invalid_value_names_the_field_and_the_rule() -> None:
    error = InvalidValue("content", "must not be empty")
    assert (error.field, error.rule) == ("content", "must not be empty")
    assert str(error) == "content: must not be empty"
    assert isinstance(error, ValueError), "validators of schemas catch it as one"


@pytest.mark.parametrize("kind", [TodoEntryNotFound, TodoEntryExists])
def test_an_error_about_an_entry_names_it(
    kind: type[TodoEntryNotFound] | type[TodoEntryExists],
) -> None:
    error = kind(ID)
    assert error.entry_id == ID
    assert str(ID) in str(error)


def test_too_many_tags_names_the_entry_and_the_limit() -> None:
    error = TooManyTags(ID, 100)
    assert (error.entry_id, error.most) == (ID, 100)
    assert str(ID) in str(error) and "100" in str(error)


def test_stale_entries_are_all_named() -> None:
    error = StaleTodoEntry(ID, OTHER_ID)
    assert list(error.entry_ids) == [ID, OTHER_ID]
    assert str(ID) in str(error) and str(OTHER_ID) in str(error)


def test_a_change_that_is_not_there_is_named_by_its_revision() -> None:
    error = ChangeNotFound(7)
    assert error.revision == 7
    assert "revision 7" in str(error)


def test_forgotten_history_names_what_was_asked_for_and_where_it_begins() -> None:
    error = HistoryForgotten(3, 5)
    assert (error.revision, error.begin) == (3, 5)
    assert "revision 5" in str(error)


@pytest.mark.parametrize("kind", [ReceiptExists, KeyReused])
def test_an_error_about_a_key_names_it(kind: type[ReceiptExists] | type[KeyReused]) -> None:
    error = kind("8e03978e")
    assert error.key == "8e03978e"
    assert "'8e03978e'" in str(error)


def test_an_unavailable_storage_says_why_and_when_to_try_again() -> None:
    assert str(StorageUnavailable("not now")) == "not now"
    assert StorageUnavailable("not now").retry_after >= 1
    assert StorageUnavailable("not now", retry_after=7).retry_after == 7
