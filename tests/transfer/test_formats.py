"""JSON Lines and CSV: every entry survives, and every flaw is found on its line."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.domain.todo import Due, TodoEntry
from myapp.infrastructure.transfer.entry_lines import FIELDS, LINE_MOST, parse, restored
from myapp.infrastructure.transfer.errors import BadInput, BadLine
from myapp.infrastructure.transfer.formats import FORMATS, Format, format_of
from myapp.infrastructure.transfer.input_file import InputFile
from tests.contract.entries import NOON, new_entry
from tests.transfer.carrying import some_entries, stored

CSV, JSON_LINES = FORMATS["csv"], FORMATS["jsonl"]
HEADING = b"content,done,tags\r\n"


def written(format: Format, entries: Sequence[TodoEntry]) -> bytes:
    return format.heading + b"".join(map(format.encode, entries))


def told(format: Format, data: bytes) -> list[tuple[int, str]]:
    """Answer the lines on which records begin, each with its content or its flaw."""
    answers = []
    for record in InputFile(io.BytesIO(data), "a file", format).records():
        try:
            answers.append((record.number, parse(record.told()).content))
        except BadLine as flaw:
            answers.append((record.number, str(flaw)))
    return answers


@pytest.mark.parametrize("name", FORMATS)
@given(entries=some_entries)
def test_what_is_written_is_read_again(name: str, entries: list[TodoEntry]) -> None:
    entries = stored(entries)
    file = io.BytesIO(written(FORMATS[name], entries))
    records = InputFile(file, "a file", FORMATS[name]).records()
    assert [restored(record.told()) for record in records] == entries


@given(entries=some_entries)
def test_csv_is_what_other_readers_of_csv_read(entries: list[TodoEntry]) -> None:
    text = written(CSV, entries).decode("utf-8")
    heading, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(heading) == FIELDS
    assert [row[1:3] for row in rows] == [[entry.content, entry.notes] for entry in entries]


def test_an_entry_in_csv_looks_as_it_is_documented() -> None:
    entry = new_entry('say "hi", twice', at=NOON, tags=("b", "a"), notes="1\n2", done=True)
    due = replace(new_entry("=1+1", at=NOON), due=Due(NOON.date()))
    assert written(CSV, [entry, due]).decode("utf-8") == (
        "id,content,notes,tags,priority,due,done,"
        "completed_at,created_at,updated_at,revision\r\n"
        f'{entry.id},"say ""hi"", twice","1\n2",a b,none,,true,'
        "2026-11-21T12:00:00Z,2026-11-21T12:00:00Z,2026-11-21T12:00:00Z,0\r\n"
        f"{due.id},=1+1,,,none,2026-11-21,false,"
        ",2026-11-21T12:00:00Z,2026-11-21T12:00:00Z,0\r\n"
    )


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.csv", CSV),
        ("a.CSV", CSV),
        ("a.jsonl", JSON_LINES),
        ("-", JSON_LINES),
        ("csv", JSON_LINES),
    ],
)
def test_the_end_of_a_name_tells_the_format(name: str, format: Format) -> None:
    assert format_of(name) is format


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_either_line_end_and_a_byte_order_mark_are_accepted(start: bytes, end: bytes) -> None:
    lines = [b'{"content":"a"}', b"", b'{"content":"b"}']
    assert told(JSON_LINES, start + end.join(lines)) == [(1, "a"), (3, "b")]
    rows = [b"content", b"a", b"", b"b", b""]
    assert told(CSV, start + end.join(rows)) == [(2, "a"), (4, "b")]


def test_lines_may_end_differently_in_one_file() -> None:
    assert told(JSON_LINES, b'{"content":"a"}\r\n{"content":"b"}\n \t\r\n') == [
        (1, "a"),
        (2, "b"),
    ]
    assert told(CSV, b"content\na\r\nb\n\r\nc") == [(2, "a"), (3, "b"), (5, "c")]


def test_each_bad_line_of_json_is_told_by_its_number() -> None:
    data = b'{"content":"a"}\n{\n\xff\n{"content":"b"}\nnull\n{"content":""}\n[\n'
    numbers = [number for number, what in told(JSON_LINES, data) if what not in ("a", "b")]
    assert numbers == [2, 3, 5, 6, 7]


def test_each_bad_row_of_csv_is_told_by_the_number_of_its_first_line() -> None:
    rows = [
        b'"one\ntwo",true,',
        b"a,true",
        b"b,true,t,more",
        b"c\xff,,",
        b'"d"e,,',
        b"f,yes,",
        b"g,TRUE,a b",
        b"h\x00,,",
        b"i\rj,,",
        b",,",
        b"k,,",
    ]
    assert told(CSV, HEADING + b"\r\n".join(rows)) == [
        (2, "content: must be one line, without line breaks or tabs"),
        (4, "has 2 fields, not 3 as the heading has"),
        (5, "has 4 fields, not 3 as the heading has"),
        (6, "is not UTF-8, or a line of it has more than 1,048,576 bytes"),
        (7, "is not CSV: ',' expected after '\"'"),
        (8, "done: must be true or false"),
        (9, "g"),
        (10, "content: must not contain control characters"),
        (11, "is not CSV: new-line character seen in unquoted field"),
        (12, "content: is required"),
        (13, "k"),
    ]


def test_a_quote_that_is_never_closed_does_not_swallow_the_whole_file() -> None:
    data = b'content\r\n"a\r\n' + b"b\r\n" * 100_000
    (number, flaw), *rest = told(CSV, data)
    assert (number, flaw) == (2, "is not CSV: field larger than field limit (131072)")
    assert rest[-1] == (100_002, "b")


def test_a_quote_that_is_open_at_the_end_swallows_no_lines_unnoticed() -> None:
    with pytest.raises(BadInput, match="line 3: a quoted field is never closed"):
        told(CSV, b'content\r\na\r\n"b\r\nc\r\n')


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_a_huge_line_is_one_flaw(format: Format) -> None:
    good = format.encode(new_entry("good"))
    number = 2 if format.heading else 1
    huge = b'{"content":"' + b"a" * (3 * LINE_MOST) + b'"}\n'
    (first, flaw), second = told(format, format.heading + huge + good)
    assert (first, second) == (number, (number + 1, "good"))
    assert "more than 1,048,576 bytes" in flaw


@pytest.mark.parametrize(
    ("size", "what"),
    [(LINE_MOST, "a"), (LINE_MOST + 1, "has more than 1,048,576 bytes")],
)
def test_a_line_may_be_as_long_as_a_body_that_the_api_takes(size: int, what: str) -> None:
    line = b'{"content":"a"}'.ljust(size - 1) + b"\n"
    assert told(JSON_LINES, line * 2) == [(1, what), (2, what)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no heading with a column named content"),
        (b"\r\n", "no heading"),
        (b"id,notes\r\n", "no heading"),
        (b"content;notes\r\na;b\r\n", "no heading"),
        (b"Content\r\na\r\n", "no heading"),
        (b"content,content\r\na,b\r\n", "one is there twice"),
        (b"content,done,done\r\na,true,true\r\n", "one is there twice"),
        (b"content,colour\x1b[0m\r\na,b\r\n", r"'colour\\x1b\[0m' is none"),
        (b"content,\xff\r\na,b\r\n", r"'\\udcff' is none"),
        (b'content,"a\r\n', "is not CSV"),
    ],
    ids=ascii,
)
def test_csv_without_a_proper_heading_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        told(CSV, data)


def test_columns_may_come_in_any_order_and_be_missing() -> None:
    data = "tags,content,due\r\nb a,first,2026-12-24\r\n,second,\r\n".encode()
    records = list(InputFile(io.BytesIO(data), "a file", CSV).records())
    assert [record.told() for record in records] == [
        {"tags": ["b", "a"], "content": "first", "due": "2026-12-24"},
        {"content": "second"},
    ]


@given(st.binary(max_size=200))
def test_no_bytes_surprise_a_reader(data: bytes) -> None:
    for format, file in ((JSON_LINES, data), (CSV, HEADING + data)):
        with suppress(BadInput):  # as of a quote that is never closed
            told(format, file)
