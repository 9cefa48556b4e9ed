"""An entry as a line: what is written, what is read back, and what is refused."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given

from myapp.domain.todo import CONTENT_MOST, TAGS_MOST, Due, Priority, TodoEntry
from myapp.infrastructure.api.todo_schema import EXAMPLE_ENTRY, TodoEntrySchema
from myapp.infrastructure.transfer.entry_lines import (
    FIELDS,
    decode,
    encode,
    encode_unnumbered,
    parse,
    read_object,
)
from myapp.infrastructure.transfer.errors import BadLine
from tests.contract import entries as generated
from tests.contract.entries import LATER, NOON, new_entry

ID = UUID("0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e")


@given(generated.entries)
def test_a_line_is_what_the_api_answers(entry: TodoEntry) -> None:
    answered = TodoEntrySchema.model_validate(entry).model_dump_json()
    assert encode(entry) == answered.encode("utf-8")
    assert set(json.loads(encode(entry))) == set(FIELDS) == set(EXAMPLE_ENTRY)


@given(generated.entries)
def test_a_line_is_one_line(entry: TodoEntry) -> None:
    assert b"\n" not in encode(entry) and b"\r" not in encode(entry)


@given(generated.entries)
def test_a_line_decodes_to_the_very_entry(entry: TodoEntry) -> None:
    entry = replace(entry, revision=17)
    assert decode(encode(entry)) == entry


@given(generated.entries)
def test_what_was_exported_is_imported_as_the_same_entry(entry: TodoEntry) -> None:
    read = parse(read_object(encode(replace(entry, revision=17))))
    assert read.entry(None, id=entry.id, now=LATER) == entry


def test_a_line_keeps_what_older_rules_allowed() -> None:
    older = TodoEntry.restore(
        (ID, " e\u0301 ", "\x01", ("b/b", "a"), Priority.LOW, None, None, None, NOON, NOON, 3)
    )
    assert decode(encode(older)) == older


def test_only_the_revision_is_missing_where_it_does_not_count() -> None:
    entry = new_entry()
    assert encode_unnumbered(replace(entry, revision=5)) == encode_unnumbered(entry)
    rest = json.loads(encode(entry))
    del rest["revision"]
    assert json.loads(encode_unnumbered(entry)) == rest


@pytest.mark.parametrize(
    "change",
    [
        {"content": 5},
        {"tags": "home"},
        {"tags": [5]},
        {"tags": ["a b"]},
        {"tags": [""]},
        {"tags": ["a", "a"]},
        {"due": "2026-12-24T17:00:00+00:00"},
        {"created_at": "2026-12-24"},
        {"updated_at": None},
        {"priority": "urgent"},
        {"id": str(ID).upper()},
        {"done": True},
        {"completed_at": "2026-12-24T17:00:00Z"},
        {"revision": 0},
        {"revision": -1},
        {"revision": 1.0},
        {"revision": True},
        {"more": 1},
    ],
    ids=str,
)
def test_a_line_that_was_not_written_so_is_not_decoded(change: Mapping[str, object]) -> None:
    values = json.loads(encode(replace(new_entry(), revision=3))) | change
    with pytest.raises(BadLine):
        decode(json.dumps(values, separators=(",", ":")).encode("utf-8"))


def test_a_line_that_says_the_same_in_another_way_is_not_decoded() -> None:
    line = encode(replace(new_entry(), revision=3))
    with pytest.raises(BadLine, match="not written as"):
        decode(line.replace(b'":', b'": '))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"content":"a"} {}', "is not JSON"),
        (b'{"content":"a",}', "is not JSON"),
        (b"{'content':'a'}", "is not JSON"),
        (b'{"content":"a\x00"}', "is not JSON"),
        (b'{"content":"a\tb"}', "is not JSON"),
        (b'{"content":NaN}', "NaN"),
        (b'{"content":-Infinity}', "-Infinity"),
        (b'{"content":"\xff"}', "is not UTF-8 from byte 13 on"),
        (b'{"content":"\xed\xa0\x80"}', "is not UTF-8"),
        (b'{"content":"a","content":"a"}', "gives a field twice"),
        (b'{"content":{"a":1,"a":2}}', "gives a field twice"),
        (b"[]", "must be a JSON object"),
        (b'"content"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"content":' + b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"revision":' + b"9" * 5_000 + b"}", "number out of range"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_object_is_told(line: bytes, reason: str) -> None:
    with pytest.raises(BadLine, match=reason):
        read_object(line)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "content: is required"),
        ({"content": None}, "content: must be a string"),
        ({"content": " "}, "content: must not be empty"),
        ({"content": "a\nb"}, "content: must be one line"),
        ({"content": "a\x00"}, "content: must not contain control characters"),
        ({"content": "\ud800"}, "content: must not contain lone surrogates"),
        ({"content": "a" * (CONTENT_MOST + 1)}, "content: must have 1,000 characters at most"),
        ({"notes": None}, "notes: must be a string"),
        ({"tags": None}, "tags: "),
        ({"tags": "home"}, "tags: "),
        ({"tags": ["a b"]}, "tags: a tag must not contain white space"),
        ({"tags": [str(n) for n in range(TAGS_MOST + 1)]}, "tags: must be 100 different"),
        ({"priority": "urgent"}, "priority: must be 'none', 'low', 'medium' or 'high'"),
        ({"priority": None}, "priority: "),
        ({"due": "2026-02-30"}, "due: must be a date that exists"),
        ({"due": "0001-01-01T00:00:00+01:00"}, "due: must lie within the years 1 to 9999"),
        ({"due": 5}, "due: must be a date"),
        ({"done": "true"}, "done: must be true or false"),
        ({"done": None}, "done: must be true or false"),
        ({"done": 1}, "done: must be true or false"),
        ({"id": str(ID).upper()}, "id: must be a UUID in lower case"),
        ({"id": f"{{{ID}}}"}, "id: must be a UUID in lower case"),
        ({"created_at": "2026-12-24"}, "created_at: must be a time with its offset"),
        ({"created_at": "2026-12-24T17:00:00"}, "created_at: must be a date"),
        ({"updated_at": 0}, "updated_at: must be a date"),
        ({"updated_at": "9999-12-31T23:59:59-01:00"}, "updated_at: must lie within"),
        ({"completed_at": "yesterday"}, "completed_at: must be a date"),
        ({"revision": "1"}, "revision: must be a valid integer"),
        ({"revision": -1}, "revision: must be greater than or equal to 0"),
        ({"revision": 1.5}, "revision: must be a valid integer"),
        ({"done": False, "completed_at": "2026-12-24T17:00:00Z"}, "completed_at: must be null"),
        ({"done": True, "completed_at": None}, "completed_at: must be a time if done is true"),
        ({"removed_at": None}, "'removed_at': is not known here"),
        ({"x\x1b[2J" * 50: 1}, r"'x\\x1b\[2J"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_breaks_a_rule_is_told_with_its_field(
    values: Mapping[str, object], reason: str
) -> None:
    content = {} if "content" in values or not values else {"content": "a"}
    with pytest.raises(BadLine, match=reason) as caught:
        parse(content | dict(values))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_several_reasons_are_told_together() -> None:
    with pytest.raises(BadLine, match="content: .*; tags: .*; due: "):
        parse({"content": "", "tags": [""], "due": ""})


def test_an_entry_of_which_little_is_told_is_made_now() -> None:
    entry = parse({"content": " a "}).entry(None, id=ID, now=NOON)
    assert entry == TodoEntry(id=ID, content="a", created_at=NOON, updated_at=NOON)


def test_an_entry_that_is_said_to_be_done_was_completed_now() -> None:
    assert (
        parse({"content": "a", "done": True}).entry(None, id=ID, now=NOON).completed_at == NOON
    )


def test_an_entry_with_a_time_of_completion_is_done() -> None:
    told = {"content": "a", "completed_at": "2026-11-21T12:00:00Z"}
    assert parse(told).entry(None, id=ID, now=LATER).completed_at == NOON


def test_times_that_are_told_are_kept() -> None:
    told = {"created_at": "2026-11-21T13:00:00+01:00", "updated_at": "2026-11-21T13:00:00Z"}
    entry = parse({"content": "a", **told}).entry(None, id=ID, now=LATER + timedelta(1))
    assert (entry.created_at, entry.updated_at) == (NOON, LATER)


def test_times_left_out_are_those_of_the_stored_entry() -> None:
    done = replace(new_entry("a", id=ID, at=NOON, done=True), revision=7)
    read = parse({"content": "a", "done": True})
    assert read.entry(done, id=ID, now=LATER) == done


def test_a_changed_entry_was_updated_now_unless_it_is_told_when() -> None:
    former = replace(new_entry("a", id=ID, at=NOON), revision=7)
    changed = replace(former, content="b", updated_at=LATER)
    assert parse({"content": "b"}).entry(former, id=ID, now=LATER) == changed
    told = {"content": "b", "updated_at": "2000-01-01T00:00:00Z"}
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    assert parse(told).entry(former, id=ID, now=LATER).updated_at == moment


def test_a_field_left_out_takes_its_default() -> None:
    former = new_entry("a", id=ID, done=True, notes="n", tags=("t",), due=Due(NOON.date()))
    entry = parse({"content": "a"}).entry(former, id=ID, now=LATER)
    assert (entry.notes, entry.tags, entry.due, entry.done) == ("", (), None, False)
