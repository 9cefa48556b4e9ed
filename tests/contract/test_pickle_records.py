"""What a record of a journal may hold, and what is said of one that may not be."""

import pickle
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from myapp.domain.change import Change
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.contents import Contents
from myapp.infrastructure.database.records import decode, encode, encode_changes
from tests.contract.entries import LATER, NOON, new_entry

ENTRY = replace(new_entry(notes="unsweetened", tags=("shop",)), revision=3)
TAGGED = Change(replace(ENTRY, tags=(), revision=2), ENTRY)
RECEIPT = Receipt(
    key="8e03978e", digest="a digest", at=NOON, changes=[Change(None, ENTRY), TAGGED]
)

# Any: what a pickle holds, which the tests make wrong.
CHANGES: dict[str, Any] = pickle.loads(encode_changes(3, [ENTRY], [RECEIPT]))
ENTRIES: dict[str, Any] = pickle.loads(encode(3, [ENTRY]))
(FIELDS,) = ENTRIES["entries"]
((*OF_RECEIPT, TOLD),) = CHANGES["receipts"]
REPEATING = (*OF_RECEIPT, TOLD * 300)


def entry_with(place: int, value: object) -> dict[str, Any]:
    """Answer what a record holds whose entry has something else at a place."""
    return ENTRIES | {"entries": [(*FIELDS[:place], value, *FIELDS[place + 1 :])]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "it is no pickle of a dict of builtin types"),
        (CHANGES | {"begin": 2.5}, "it is no pickle of a dict of builtin types"),
        ({1: 2, "entries": []}, "a name is no string"),
        ({"revision": 3, "begin": 0}, "it has entries as well as changes, or neither"),
        (CHANGES | ENTRIES, "it has entries as well as changes, or neither"),
        (CHANGES | {"revision": 2}, "the revision is none, or smaller than an entry's"),
        (CHANGES | {"revision": None}, "the revision is none, or smaller than an entry's"),
        (CHANGES | {"begin": 4}, "the history does not begin at a revision of the store"),
        (CHANGES | {"begin": "3"}, "the history does not begin at a revision of the store"),
        (CHANGES | {"receipts": [REPEATING] * 300}, "its receipts are longer than itself"),
        (entry_with(0, "no id"), "an entry has no id, or no tags"),
        (entry_with(0, bytes(15)), "an id has 16 bytes"),
        (entry_with(3, ["shop"]), "an entry has no id, or no tags"),
        (entry_with(3, ("shop",) * 1_001), "an entry has no id, or no tags"),
        (entry_with(6, "now"), "a time is not a whole number of microseconds"),
        (entry_with(10, 0), "an entry has no revision"),
        (entry_with(1, 5), "a text is no string"),
        (entry_with(2, 5), "a text is no string"),
        (entry_with(3, (5,)), "a text is no string"),
        (entry_with(4, 5), "a text is no string"),
    ],
)
def test_what_is_wrong_with_a_record_is_told(content: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        decode(pickle.dumps(content, 5))
    assert str(caught.value) == f"not a record of todo entries: {reason}"


MANY = [replace(ENTRY, id=UUID(int=number), revision=number) for number in range(1, 100)]
COLUMNS: tuple[Any, ...] = pickle.loads(encode(99, MANY))["entries"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, COLUMNS[0][:-16]),
        (0, b""),
        (0, None),
        (1, COLUMNS[1] + b"x"),
        (1, COLUMNS[1][:-1] + b"\xff"),
        (1, "text"),
        (2, ("shop",)),
        (2, ("none", b"shop")),
        (2, (5, "shop")),
        (3, COLUMNS[3][:-4]),
        (3, b"\xff" * len(COLUMNS[3])),
        (4, COLUMNS[4] + COLUMNS[4][:4]),
        (4, b"\xff" * len(COLUMNS[4])),
        (5, COLUMNS[5][:-8]),
        (5, COLUMNS[5][:-8] + bytes(8)),
        (5, b"\x7f" * len(COLUMNS[5])),
        (6, (bytes(4), [])),
        (6, (bytes(3), [5])),
        (6, (bytes(4), [()])),
        (7, (b"\xff" * 4, [5])),
        (7, (bytes(4), ["now"])),
        (8, None),
    ],
)
def test_columns_that_are_none_of_any_states_are_refused(place: int, value: object) -> None:
    columns = (*COLUMNS[:place], value, *COLUMNS[place + 1 :])
    with pytest.raises(ValueError, match="not a record of todo entries"):
        decode(pickle.dumps({"revision": 99, "entries": columns}, 5))


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, b"\1" + COLUMNS[0][1:], "an id has 16 bytes"),
        (1, COLUMNS[1] + b"x", "a column is not as long as its parts"),
        (5, COLUMNS[5][:-8] + bytes(8), "an entry has too many tags, or no revision"),
    ],
)
def test_what_is_wrong_with_columns_is_told(place: int, value: bytes, reason: str) -> None:
    columns = (*COLUMNS[:place], value, *COLUMNS[place + 1 :])
    with pytest.raises(ValueError) as caught:
        decode(pickle.dumps({"revision": 99, "entries": columns}, 5))
    assert str(caught.value) == f"not a record of todo entries: {reason}"


def test_an_entry_has_a_thousand_tags_at_most_in_columns_too() -> None:
    for count in (1_000, 1_001):
        states = [replace(ENTRY, revision=1), *MANY[1:]]
        object.__setattr__(states[0], "tags", ("shop",) * count)
        payload = encode(99, states)
        if count == 1_000:
            assert decode(payload).entries == states
        else:
            with pytest.raises(ValueError, match="too many tags"):
                decode(payload)


def test_what_was_completed_and_not_changed_since_has_one_moment_for_both() -> None:
    completed = [entry.complete(at=LATER) for entry in MANY]

    for entry in decode(encode(99, completed)).entries:
        assert entry.completed_at == LATER
        assert entry.completed_at is entry.updated_at


def test_an_id_that_was_read_is_like_any_other() -> None:
    (entry,) = decode(encode(3, [ENTRY])).entries
    assert (entry.id, entry.id.is_safe) == (ENTRY.id, ENTRY.id.is_safe)


@pytest.mark.parametrize("begin", [None, 0, 1, 3])
def test_a_history_begins_at_any_revision_that_the_store_has_had(begin: int | None) -> None:
    record = decode(encode_changes(3, [ENTRY], [RECEIPT], begin=begin))
    assert (record.revision, record.begin) == (3, begin)
    assert (record.entries, record.changes, record.receipts) == ([], [ENTRY], [RECEIPT])


def test_entries_begin_a_history_at_the_revision_of_the_store() -> None:
    record = decode(encode(7, [ENTRY]))
    assert (record.revision, record.begin) == (7, 7)
    assert (record.entries, record.changes, record.receipts) == ([ENTRY], [], [])


@pytest.mark.parametrize("revision", [0, 2**62])
def test_a_store_has_had_none_or_very_many_revisions(revision: int) -> None:
    assert decode(encode_changes(revision, [])).revision == revision
    with pytest.raises(ValueError):
        decode(encode_changes(-revision - 1, []))
    with pytest.raises(ValueError):
        decode(encode_changes(2**62 + 1, []))


def test_an_entry_has_a_thousand_tags_at_most() -> None:
    record = decode(pickle.dumps(entry_with(3, ("shop",) * 1_000), 5))
    assert len(record.entries[0].tags) == 1_000


def test_the_first_revision_is_one() -> None:
    assert decode(encode_changes(1, [replace(ENTRY, revision=1)])).changes[0].revision == 1


def test_records_are_taken_in_the_order_in_which_they_were_stored() -> None:
    contents = Contents()
    contents.take(decode(encode_changes(3, [ENTRY])))
    with pytest.raises(ValueError) as caught:
        contents.take(decode(encode_changes(3, [ENTRY])))
    assert str(caught.value) == "its changes are older than what stands before them"
    contents.take(decode(encode_changes(7, [])))
    with pytest.raises(ValueError) as caught:
        contents.take(decode(encode(6, [ENTRY])))
    assert str(caught.value) == "its entries are older than what stands before it"
    assert contents.index.revision == 7


def test_a_snapshot_tells_of_some_receipts_at_a_time() -> None:
    contents = Contents()
    keys = [f"{number:04}" for number in range(2_500)]
    contents.put([], [replace(RECEIPT, key=key) for key in keys], 3)
    records = [decode(payload) for payload in contents.snapshot(3).payloads()]
    assert max(len(record.receipts) for record in records) == 1_000
    assert [receipt.key for record in records for receipt in record.receipts] == keys
    assert records[-1].revision == 3
