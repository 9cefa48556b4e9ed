"""Lines of the log: what stands in them, and that writing them disturbs nobody."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from select import PIPE_BUF
from threading import Event
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.infrastructure.api.handled_request import (
    HandledRequest,
    RequestName,
    current_request,
)
from myapp.infrastructure.logs.forms import Form, Json, Text, timestamp
from myapp.infrastructure.logs.line_writer import WAITING_MOST, LineWriter
from myapp.infrastructure.logs.outputs import LogFileUnavailable, RotatedFile, Stream
from myapp.infrastructure.logs.records import formatter

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ENTRY = "8b122755-530e-43c7-ae84-362c17a37fc5"
NOW = 1_795_459_222.5
REQUEST = HandledRequest(
    "GET", "/todo/{id}", None, ENTRY, 200, 0.00123, 512, "mine-1", TRACE, "127.0.0.1"
)
UNKNOWN = REQUEST._replace(
    route=None, path="/nothing", entry_id=None, trace_id=None, status=404
)
LONG = 30.0
FORMS = pytest.mark.parametrize("form", [Json(), Text()], ids=["json", "text"])


def test_a_request_is_an_object_of_json() -> None:
    line = Json().request(REQUEST, now=NOW, process=7)

    assert json.loads(line) == {
        "timestamp": "2026-11-23T18:40:22.500Z",
        "level": "info",
        "logger": "access",
        "event": "request",
        "process": 7,
        "method": "GET",
        "route": "/todo/{id}",
        "entry_id": ENTRY,
        "status": 200,
        "duration_ms": 1.23,
        "bytes": 512,
        "client": "127.0.0.1",
        "request_id": "mine-1",
        "trace_id": TRACE,
    }


def test_what_a_request_does_not_have_is_left_out_of_the_object() -> None:
    told = json.loads(Json().request(UNKNOWN, now=NOW, process=7))

    assert told["path"] == "/nothing"
    assert {"route", "entry_id", "trace_id"} & told.keys() == set()


@pytest.mark.parametrize(
    ("request_told", "line"),
    [
        (
            REQUEST,
            "2026-11-23T18:40:22.500Z INFO access: GET /todo/{id} 200 1.23 ms 512 bytes"
            f" entry_id={ENTRY} client=127.0.0.1 request_id=mine-1 trace_id={TRACE}\n",
        ),
        (
            UNKNOWN,
            "2026-11-23T18:40:22.500Z INFO access: GET /nothing 404 1.23 ms 512 bytes"
            " client=127.0.0.1 request_id=mine-1\n",
        ),
    ],
)
def test_a_request_is_a_line_of_text(request_told: HandledRequest, line: str) -> None:
    assert Text().request(request_told, now=NOW, process=7) == line


@FORMS
@given(text=st.text() | st.sampled_from(["\x1b[31m", "\n", "\r", "\u2028", "\x7f", "\x85"]))
def test_nothing_that_is_sent_can_break_or_colour_a_line(form: Form, text: str) -> None:
    hostile = UNKNOWN._replace(method=text, path=text, client=text, request_id=text)
    lines = [
        form.request(hostile, now=NOW, process=7),
        formatter(form).format(record(text)) + "\n",
    ]

    for line in lines:
        assert line[-1] == "\n"
        assert line[:-1].isprintable()


@given(text=st.text())
def test_json_tells_it_as_it_was(text: str) -> None:
    told = json.loads(Json().request(UNKNOWN._replace(path=text), now=NOW, process=7))

    assert told["path"] == text


@given(st.integers(0, 4_000_000_000_000))
def test_times_sort_as_text(milliseconds: int) -> None:
    assert timestamp(milliseconds / 1000) <= timestamp((milliseconds + 1) / 1000)


def test_a_record_has_the_same_members_as_a_request() -> None:
    told = json.loads(formatter(Json()).format(record("hello %s", "you")))

    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "level": "warning",
        "logger": "some.where",
        "event": "hello you",
        "process": os.getpid(),
    }


def test_a_record_in_text_has_what_matters_first() -> None:
    line = formatter(Text()).format(record("hello"))

    assert line.partition(" ")[2] == "WARNING some.where: hello"


@FORMS
def test_what_happens_within_a_request_bears_its_name(form: Form) -> None:
    token = current_request.set(RequestName("mine-1", TRACE))
    line = formatter(form).format(record("hello"))
    current_request.reset(token)

    assert "mine-1" in line and TRACE in line


@FORMS
def test_an_exception_is_told_without_what_was_worked_on(form: Form) -> None:
    secret = "hush"
    try:
        try:
            raise KeyError(f"a row was refused\nDETAIL: it has {secret}")
        except KeyError as error:
            raise ExceptionGroup(
                f"two\n{secret}", [ValueError(f"the first\n{secret}"), OSError(5, "broken")]
            ) from error
    except ExceptionGroup as error:
        line = formatter(form).format(record(f"it failed: {error}", error=error))

    for part in ("it failed: two", "KeyError", "ValueError: the first", "OSError", "broken"):
        assert part in line
    assert secret not in line


def test_a_traceback_in_text_is_indented() -> None:
    try:
        raise ValueError("wrong")
    except ValueError as error:
        first, *others = formatter(Text()).format(record("failed", error=error)).split("\n")

    assert first.endswith("failed")
    assert others[-1] == "    ValueError: wrong"
    assert all(line.startswith("    ") for line in others)


def test_an_exception_that_led_to_itself_is_told_once() -> None:
    error, other = ValueError("one"), ValueError("other")
    error.__context__, other.__context__ = other, error

    line = formatter(Text()).format(record("failed", error=error))

    assert line.count("ValueError: one") == line.count("ValueError: other") == 1


class Output:
    """Remembers what is written; can be made to wait, or to fail."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.is_free = Event()
        self.is_free.set()
        self.is_full = False

    def write(self, lines: Sequence[bytes]) -> None:
        assert self.is_free.wait(LONG)
        if self.is_full:
            raise OSError
        self.lines += lines


@pytest.fixture
def output() -> Output:
    """Answer where lines go."""
    return Output()


@pytest.fixture
def writer(output: Output) -> Iterator[LineWriter]:
    """Answer what writes lines to the output."""
    writer = LineWriter(output, "{} dropped\n".format)
    yield writer
    output.is_free.set()
    writer.close()


def test_lines_are_written_in_order(writer: LineWriter, output: Output) -> None:
    for number in range(1_000):
        writer.write(f"{number}\n")
    writer.flush(LONG)

    assert output.lines == [b"%d\n" % number for number in range(1_000)]


def test_closing_writes_what_waits(writer: LineWriter, output: Output) -> None:
    writer.write("last\n")

    writer.close()

    assert output.lines == [b"last\n"]


def test_an_output_that_takes_nothing_is_waited_for_once(
    writer: LineWriter, output: Output
) -> None:
    output.is_free.clear()
    writer.write("one\n")
    writer.flush(0.01)
    begin = monotonic()
    writer.flush(LONG)

    assert monotonic() - begin < LONG / 2
    output.is_free.set()
    flush_until(writer, lambda: output.lines == [b"one\n"])


def test_what_waits_is_limited_and_the_rest_is_counted(
    writer: LineWriter, output: Output
) -> None:
    output.is_free.clear()
    for _ in range(2 * WAITING_MOST):
        writer.write("line\n")
    output.is_free.set()
    flush_until(writer, lambda: output.lines[-1:] != [b"line\n"])

    *lines, last = output.lines
    assert WAITING_MOST <= len(lines) < 2 * WAITING_MOST
    assert last == b"%d dropped\n" % (2 * WAITING_MOST - len(lines))


def test_a_full_disk_is_survived_and_told_of_later(writer: LineWriter, output: Output) -> None:
    output.is_full = True
    for line in ("one\n", "two\n"):
        writer.write(line)
        writer.flush(LONG)
    output.is_full = False
    writer.write("three\n")
    writer.flush(LONG)
    writer.write("four\n")
    writer.flush(LONG)

    assert b"".join(output.lines) == b"\nthree\n2 dropped\nfour\n"


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "log", largest=100, kept=3)
    for number in range(50):
        file.write([b"line %4d\n" % number])

    texts = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(texts) == ["log", "log.1", "log.2", "log.3"]
    newest_last = b"".join(text for _, text in sorted(texts.items(), reverse=True))
    lines = (texts["log.3"] + texts["log.2"] + texts["log.1"] + texts["log"]).splitlines()
    assert len(newest_last) == len(lines) * 10
    assert lines == [b"line %4d" % number for number in range(50 - len(lines), 50)]
    assert {len(texts[f"log.{number}"]) for number in (1, 2, 3)} == {100}


def test_of_a_link_what_it_leads_to_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/log")
    file = RotatedFile(tmp_path / "link", largest=10)
    file.write([b"first\n"])
    file.write([b"second\n"])

    assert (tmp_path / "link").is_symlink()
    texts = {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
    assert texts == {"log.1": b"first\n", "log": b"second\n"}


def test_two_processes_may_write_one_file(tmp_path: Path) -> None:
    files = [RotatedFile(tmp_path / "log", largest=100, kept=9) for _ in range(2)]
    for number in range(50):
        files[number % 2].write([b"line %4d\n" % number])

    lines = [line for path in tmp_path.iterdir() for line in path.read_bytes().splitlines()]
    assert sorted(lines) == [b"line %4d" % number for number in range(50)]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.rename(f"{path}.old")])
def test_a_file_that_is_taken_away_is_made_anew(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = tmp_path / "log"
    file = RotatedFile(path)
    file.write([b"before\n"])
    change(path)
    file.write([b"after\n"])

    assert path.read_bytes() == b"after\n"


def test_a_file_that_cannot_be_put_aside_grows(tmp_path: Path) -> None:
    (tmp_path / "log.5").mkdir()
    (tmp_path / "log.4").touch()
    file = RotatedFile(tmp_path / "log", largest=10)
    file.write([b"first\n"])
    file.write([b"second\n"])

    assert (tmp_path / "log").read_bytes() == b"first\nsecond\n"


def test_a_file_is_for_its_owner_and_group_only(tmp_path: Path) -> None:
    RotatedFile(tmp_path / "log")

    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("name", ["", "missing/log"])
def test_a_file_that_cannot_be_opened_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(LogFileUnavailable, match=r"^\S+ cannot be .*TODOAPP_LOG_FILE.*\.$"):
        RotatedFile(tmp_path / name)


def test_lines_go_to_a_pipe_in_pieces_that_do_not_mix() -> None:
    reading, writing = os.pipe2(os.O_DIRECT)  # each write is read as it was written
    stream = Stream(writing)
    os.close(writing)
    lines = [b"x" * length + b"\n" for length in (10, PIPE_BUF - 1, PIPE_BUF // 2, 999, 7)]

    stream.write(lines)

    pieces = [os.read(reading, 2 * PIPE_BUF) for _ in range(3)]
    os.close(reading)
    assert pieces == [lines[0], lines[1], b"".join(lines[2:])]


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    """Answer a record of a warning."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("some.where", logging.WARNING, "", 0, message, args, exc_info)


def flush_until(writer: LineWriter, condition: Callable[[], bool]) -> None:
    """Write what waits until the condition holds; fails if it never does."""
    for attempt in count():
        writer.flush(LONG)
        if condition():
            return
        assert attempt < 10_000
        Event().wait(0.001)
