"""The todo entry: what may be one, and how it changes."""

import tracemalloc
import unicodedata
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Unpack
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.domain.errors import InvalidValue, TooManyTags
from myapp.domain.todo import (
    CONTENT_MOST,
    NOTES_MOST,
    TAG_MOST,
    TAGS_MOST,
    Due,
    Priority,
    TodoEntry,
    TodoFields,
    normalise_content,
    normalise_notes,
    normalise_tag,
    normalise_tags,
)
from tests.contract import entries as arbitrary
from tests.contract.entries import LATER, NOON

ID = UUID("7d444840-9dc0-41d1-b245-5ffdce74fad2")
LATEST = NOON + timedelta(hours=2)

EAST = timezone(timedelta(hours=1))
WEST = timezone(timedelta(hours=-1))
BEYOND_YEARS = [
    pytest.param(datetime.min.replace(tzinfo=EAST), id="before year 1"),
    pytest.param(datetime.max.replace(tzinfo=WEST), id="after year 9999"),
]
WITHIN_YEARS = [
    pytest.param(datetime.min.replace(tzinfo=UTC), id="first"),
    pytest.param(datetime.max.replace(tzinfo=UTC), id="last"),
    pytest.param(datetime.min.replace(tzinfo=WEST), id="first hour"),
    pytest.param(datetime.max.replace(tzinfo=EAST), id="last hour"),
]
TIMES = ["created_at", "updated_at", "completed_at", "removed_at"]


def entry_of(content: str = "buy oat milk", **fields: Unpack[TodoFields]) -> TodoEntry:
    """Answer a new, open entry."""
    return TodoEntry.create_from_content(content, id=ID, at=NOON, **fields)


def with_time(name: str, moment: datetime) -> TodoEntry:
    """Answer an entry with a certain time."""
    times = dict.fromkeys(TIMES, NOON) | {name: moment}
    return TodoEntry(
        id=ID,
        content="buy oat milk",
        created_at=times["created_at"],
        updated_at=times["updated_at"],
        completed_at=times["completed_at"],
        removed_at=times["removed_at"],
    )


def test_a_new_entry_is_open_and_plain_and_was_never_stored() -> None:
    entry = TodoEntry.create_from_content("buy oat milk", id=ID, at=NOON)
    assert entry == TodoEntry(
        id=ID,
        content="buy oat milk",
        notes="",
        tags=(),
        priority=Priority.NONE,
        due=None,
        completed_at=None,
        removed_at=None,
        created_at=NOON,
        updated_at=NOON,
        revision=0,
    )
    assert not entry.done
    assert entry.due_moment is None


def test_a_new_entry_may_be_done_already_and_have_everything() -> None:
    entry = TodoEntry.create_from_content(
        "buy oat milk",
        id=ID,
        at=NOON,
        done=True,
        notes="the unsweetened one",
        tags=("shop", "home"),
        priority=Priority.HIGH,
        due=Due(LATER),
    )
    assert (entry.done, entry.completed_at) == (True, NOON)
    assert (entry.notes, entry.tags) == ("the unsweetened one", ("home", "shop"))
    assert (entry.priority, entry.due_moment) == (Priority.HIGH, LATER)


@pytest.mark.parametrize("name", [field.name for field in fields(TodoEntry)])
def test_no_field_can_be_set_or_deleted(name: str) -> None:
    entry = entry_of()
    with pytest.raises(FrozenInstanceError):
        setattr(entry, name, getattr(entry, name))
    with pytest.raises(FrozenInstanceError):
        delattr(entry, name)


def test_a_due_date_cannot_be_set() -> None:
    due = Due(NOON)
    with pytest.raises(FrozenInstanceError):
        setattr(due, "value", LATER)


def test_priorities_rank_from_none_to_high() -> None:
    by_rank = sorted(Priority, key=lambda priority: priority.rank)
    assert by_rank == ["none", "low", "medium", "high"]
    assert [priority.rank for priority in by_rank] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("normalised", "most", "field"),
    [
        (normalise_content, CONTENT_MOST, "content"),
        (normalise_notes, NOTES_MOST, "notes"),
        (normalise_tag, TAG_MOST, "tags"),
    ],
)
@pytest.mark.parametrize("character", ["x", "é", "e\u0301", "😀"])
def test_a_text_has_its_limit_in_code_points(
    normalised: Callable[[str], str], most: int, field: str, character: str
) -> None:
    composed = unicodedata.normalize("NFC", character)
    assert normalised(f" {character * most} ") == composed * most
    with pytest.raises(InvalidValue, match=f"{most:,} characters at most") as caught:
        normalised(character * (most + 1))
    assert caught.value.field == field


def test_the_limits_are_those_of_the_contract() -> None:
    assert (CONTENT_MOST, NOTES_MOST, TAG_MOST, TAGS_MOST) == (1_000, 16_000, 60, 100)


def test_an_entry_normalises_its_texts() -> None:
    entry = entry_of(" caf\u0065\u0301 ", notes="\r\none\r\ntwo\n", tags=(" cafe\u0301 ",))
    assert (entry.content, entry.notes, entry.tags) == ("café", "one\ntwo", ("café",))


@pytest.mark.parametrize("content", ["", " ", "\n", "\t\u3000\u2028"])
def test_content_must_not_be_empty(content: str) -> None:
    with pytest.raises(InvalidValue, match="must not be empty") as caught:
        entry_of(content)
    assert caught.value.field == "content"


@pytest.mark.parametrize("content", ["a\nb", "a\r\nb", "a\tb", "a\u2028b"])
def test_content_is_one_line(content: str) -> None:
    with pytest.raises(InvalidValue, match="one line"):
        entry_of(content)


ENTRIES_OF_TEXT: dict[str, Callable[[str], TodoEntry]] = {
    "content": entry_of,
    "notes": lambda text: entry_of(notes=text),
    "tags": lambda text: entry_of(tags=(text,)),
}


@pytest.mark.parametrize("wrong", ["a\x00b", "\x1b[31m", "\ud800", "a\x85"])
def test_no_text_of_an_entry_hides_characters(wrong: str) -> None:
    for field, make in ENTRIES_OF_TEXT.items():
        with pytest.raises(InvalidValue) as caught:
            make(wrong)
        assert caught.value.field == field


@pytest.mark.parametrize(
    "tag",
    ["x", "home", "Home", "...", ".a", "a.", "-", "#1", "?", "%2F", "a&b=c", "😀", "店", "é"],
)
def test_a_tag_may_be_any_word(tag: str) -> None:
    assert normalise_tag(tag) == tag
    assert normalise_tag(f"\n {tag}\u3000") == tag


USES_OF_A_TAG: dict[str, Callable[[str], object]] = {
    "alone": normalise_tag,
    "among others": lambda tag: normalise_tags(["home", tag]),
    "in an entry": lambda tag: entry_of(tags=(tag,)),
    "to add": lambda tag: entry_of().add_tag(tag, at=LATER),
    "to remove": lambda tag: entry_of().remove_tag(tag, at=LATER),
}


@pytest.mark.parametrize("use", USES_OF_A_TAG)
@pytest.mark.parametrize(
    "tag",
    [
        "",
        " ",
        ".",
        "..",
        " .. ",
        "a b",
        "a\u00a0b",
        "a\u3000b",
        "a\tb",
        "a\nb",
        "a\u2028b",
        "a,b",
        ",",
        "a/b",
        "/",
        "a\\b",
        "\\",
        "a\x00",
        "\ud800",
    ],
    ids=ascii,
)
def test_a_tag_that_would_not_survive_a_list_or_a_path_is_refused(use: str, tag: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        USES_OF_A_TAG[use](tag)
    assert caught.value.field == "tags"


def test_an_entry_has_a_hundred_different_tags_at_most() -> None:
    names = tuple(f"tag-{number}" for number in range(TAGS_MOST))
    assert len(entry_of(tags=names).tags) == TAGS_MOST
    assert len(entry_of(tags=(*names, *names, " tag-1 ")).tags) == TAGS_MOST
    with pytest.raises(InvalidValue, match="100 different ones") as caught:
        entry_of(tags=(*names, "one-more"))
    assert caught.value.field == "tags"


def test_tags_are_told_apart_exactly_and_sorted_by_code_point() -> None:
    tags = ("😀", "ﾊ", "é", "a", "Z", "A", "a", "e\u0301", "\u1100\u1161")
    assert entry_of(tags=tags).tags == ("A", "Z", "a", "é", "가", "ﾊ", "😀")


@given(tags=st.lists(arbitrary.tag_names))
def test_tags_are_always_sorted_and_different(tags: list[str]) -> None:
    kept = entry_of(tags=tuple(tags)).tags
    assert list(kept) == sorted(set(kept))
    assert set(kept) == {normalise_tag(tag) for tag in tags}


@given(text=st.text(st.characters()) | st.text("a \n\t./,\\\u0301\x00\ud800", max_size=8))
def test_any_text_makes_a_valid_entry_or_an_invalid_value(text: str) -> None:
    for make in ENTRIES_OF_TEXT.values():
        try:
            entry = make(text)
        except InvalidValue:
            continue
        assert replace(entry) == entry


@pytest.mark.parametrize("name", TIMES)
def test_a_time_without_an_offset_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="offset") as caught:
        with_time(name, datetime(2026, 11, 21, 12))
    assert caught.value.field == name


@pytest.mark.parametrize("name", TIMES)
def test_a_time_is_kept_in_utc(name: str) -> None:
    moment = getattr(with_time(name, datetime(2026, 11, 21, 13, tzinfo=EAST)), name)
    assert (moment, moment.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("moment", BEYOND_YEARS)
def test_a_time_beyond_the_years_of_utc_is_refused(name: str, moment: datetime) -> None:
    with pytest.raises(InvalidValue, match="years 1 to 9999") as caught:
        with_time(name, moment)
    assert caught.value.field == name


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("moment", WITHIN_YEARS)
def test_a_time_may_be_any_other(name: str, moment: datetime) -> None:
    assert getattr(with_time(name, moment), name) == moment


def test_a_revision_is_never_negative() -> None:
    with pytest.raises(InvalidValue) as caught:
        replace(entry_of(), revision=-1)
    assert caught.value.field == "revision"


def test_a_due_time_needs_an_offset() -> None:
    with pytest.raises(InvalidValue, match="offset") as caught:
        Due(datetime(2026, 12, 24, 17))
    assert caught.value.field == "due"


def test_a_due_time_is_kept_in_utc() -> None:
    due = Due(datetime(2026, 12, 24, 18, tzinfo=EAST))
    assert due == Due(datetime(2026, 12, 24, 17, tzinfo=UTC))
    assert due.moment.tzinfo is UTC


@pytest.mark.parametrize("moment", BEYOND_YEARS)
def test_a_due_time_beyond_the_years_of_utc_is_refused(moment: datetime) -> None:
    with pytest.raises(InvalidValue, match="years 1 to 9999") as caught:
        Due(moment)
    assert caught.value.field == "due"


@pytest.mark.parametrize("moment", WITHIN_YEARS)
def test_a_due_time_may_be_any_other(moment: datetime) -> None:
    assert Due(moment).moment == moment


@pytest.mark.parametrize("day", [date.min, date(2024, 2, 29), date.max])
def test_a_due_date_counts_as_the_end_of_its_day_in_utc(day: date) -> None:
    due = Due(day)
    assert due.value == day and not isinstance(due.value, datetime)
    assert due.moment == datetime.combine(day, time.max, tzinfo=UTC)
    assert entry_of(due=due).due_moment == due.moment


def test_a_due_date_is_not_the_same_as_the_moment_it_counts_as() -> None:
    assert Due(NOON.date()) != Due(Due(NOON.date()).moment)


def test_completing_an_entry_keeps_the_first_moment() -> None:
    entry = entry_of()
    done = entry.complete(at=LATER)
    assert (done.done, done.completed_at, done.updated_at) == (True, LATER, LATER)
    assert (entry.done, entry.completed_at, entry.updated_at) == (False, None, NOON)
    assert done.complete(at=LATEST) is done
    assert done.change(at=LATEST, done=True) is done


def test_reopening_an_entry_forgets_when_it_was_done() -> None:
    entry = entry_of()
    assert entry.reopen(at=LATER) is entry
    assert entry.change(at=LATER, done=False) is entry
    reopened = entry.complete(at=LATER).reopen(at=LATEST)
    assert (reopened.done, reopened.completed_at) == (False, None)
    assert reopened.updated_at == LATEST
    assert reopened.complete(at=LATEST).completed_at == LATEST


@pytest.mark.parametrize(
    ("revision", "state", "follows"),
    [
        (0, None, True),
        (0, "removed", True),
        (0, "there", False),
        (7, None, False),
        (7, "there", True),
        (7, "removed", True),
        (6, "there", False),
        (8, "there", False),
    ],
)
def test_an_entry_follows_the_state_that_it_is_based_on(
    revision: int, state: str | None, follows: bool
) -> None:
    there = entry_of().stored(7)
    states = {None: None, "there": there, "removed": there.remove(at=LATER)}

    assert there.stored(revision).follows(states[state]) is follows


def test_a_removed_entry_says_when() -> None:
    entry = entry_of()
    removed = entry.remove(at=LATER)
    assert (removed.removed_at, removed.updated_at) == (LATER, LATER)
    assert replace(removed, removed_at=None, updated_at=NOON) == entry
    assert entry.removed_at is None


def test_a_tag_is_added_once() -> None:
    entry = entry_of(tags=("shop",))
    tagged = entry.add_tag(" cafe\u0301 ", at=LATER)
    assert (tagged.tags, tagged.updated_at) == (("café", "shop"), LATER)
    assert tagged.add_tag("café", at=LATEST) is tagged
    assert tagged.add_tag("cafe\u0301\n", at=LATEST) is tagged


def test_a_tag_beyond_the_hundredth_is_refused_by_name() -> None:
    full = entry_of(tags=tuple(f"tag-{number}" for number in range(TAGS_MOST - 1)))
    full = full.add_tag("last", at=LATER)
    assert len(full.tags) == TAGS_MOST
    with pytest.raises(TooManyTags) as caught:
        full.add_tag("one-more", at=LATEST)
    assert (caught.value.entry_id, caught.value.most) == (ID, TAGS_MOST)
    assert full.add_tag("last", at=LATEST) is full
    assert "one-more" in full.remove_tag("last", at=LATER).add_tag("one-more", at=LATER).tags


def test_a_tag_is_removed_once() -> None:
    entry = entry_of(tags=("café", "home", "shop"))
    untagged = entry.remove_tag("cafe\u0301 ", at=LATER)
    assert (untagged.tags, untagged.updated_at) == (("home", "shop"), LATER)
    assert untagged.remove_tag("café", at=LATEST) is untagged
    assert untagged.remove_tag("HOME", at=LATEST) is untagged


def test_a_change_of_content_and_state_happens_at_one_moment() -> None:
    changed = entry_of().change(at=LATER, content="buy rye bread", done=True)
    assert (changed.content, changed.completed_at) == ("buy rye bread", LATER)
    assert changed.updated_at == LATER


CHANGES_IN_TIME: dict[str, Callable[[datetime], TodoEntry]] = {
    "change": lambda at: entry_of().change(at=at, content="buy rye bread"),
    "complete": lambda at: entry_of().complete(at=at),
    "remove": lambda at: entry_of().remove(at=at),
    "add tag": lambda at: entry_of().add_tag("home", at=at),
}


@pytest.mark.parametrize("name", CHANGES_IN_TIME)
def test_the_time_of_a_change_is_kept_in_utc_and_needs_an_offset(name: str) -> None:
    changed = CHANGES_IN_TIME[name](LATER.astimezone(EAST))
    assert (changed.updated_at, changed.updated_at.tzinfo) == (LATER, UTC)
    with pytest.raises(InvalidValue, match="offset") as caught:
        CHANGES_IN_TIME[name](datetime(2026, 11, 21, 12))
    assert caught.value.field == "updated_at"


def test_a_change_to_what_is_there_in_another_spelling_changes_nothing() -> None:
    entry = entry_of("café", notes="a\nb", tags=("a", "b"), due=Due(NOON))
    same = entry.change(
        at=LATER,
        content=" cafe\u0301",
        notes="a\r\nb\n",
        tags=("b", "a", "b"),
        due=Due(NOON.astimezone(EAST)),
        priority=Priority.NONE,
        done=False,
    )
    assert same is entry


CHANGES_TO_TEXT: dict[str, Callable[[str], TodoEntry]] = {
    "content": lambda text: entry_of().change(at=LATER, content=text),
    "notes": lambda text: entry_of().change(at=LATER, notes=text),
    "tags": lambda text: entry_of().change(at=LATER, tags=(text,)),
}


@pytest.mark.parametrize("field", CHANGES_TO_TEXT)
def test_a_change_obeys_the_rules_of_an_entry(field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        CHANGES_TO_TEXT[field]("a\x00b")
    assert caught.value.field == field


def test_a_due_date_is_cleared_by_none() -> None:
    entry = entry_of(due=Due(NOON))
    assert entry.change(at=LATER, content="else").due == Due(NOON)
    assert entry.change(at=LATER, due=None).due is None


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "notes": arbitrary.notes,
        "tags": arbitrary.tags,
        "priority": arbitrary.priorities,
        "due": arbitrary.dues,
    },
)


@given(
    entry=arbitrary.entries,
    content=st.none() | arbitrary.contents,
    done=st.none() | st.booleans(),
    patch=PATCHES,
)
def test_a_change_writes_what_is_given_and_nothing_else(
    entry: TodoEntry, content: str | None, done: bool | None, patch: TodoFields
) -> None:
    changed = entry.change(at=LATER, content=content, done=done, **patch)
    expected = replace(entry, content=entry.content if content is None else content, **patch)
    if done is not None and done != entry.done:
        expected = replace(expected, completed_at=LATER if done else None)
    if expected == entry:
        assert changed is entry
    else:
        assert changed == replace(expected, updated_at=LATER)
    assert changed.change(at=LATEST, content=content, done=done, **patch) is changed


@given(entry=arbitrary.entries)
def test_a_stored_entry_is_restored_as_it_was(entry: TodoEntry) -> None:
    restored = TodoEntry.restore(
        (
            entry.id,
            entry.content,
            entry.notes,
            entry.tags,
            entry.priority,
            entry.due,
            entry.completed_at,
            entry.removed_at,
            entry.created_at,
            entry.updated_at,
            entry.revision,
        )
    )
    assert restored == entry


def test_an_entry_stored_under_other_rules_is_restored_as_it_was() -> None:
    content, tags = "x" * (CONTENT_MOST + 1) + "\n", ("b c", "a")
    restored = TodoEntry.restore(
        (ID, content, "", tags, Priority.LOW, None, None, None, NOON, LATER, 17)
    )
    assert (restored.content, restored.tags, restored.revision) == (content, tags, 17)


def test_white_space_around_a_tag_is_not_remembered() -> None:
    tracemalloc.start()
    try:
        for length in range(1_000_000, 1_000_005):
            assert normalise_tag(" " * length + "a") == "a"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000
