"""The log of a process: all lines are of one form, and no reader of it holds the service up."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.running_server import (
    PATIENCE,
    SERVE,
    Launcher,
    RunningServer,
    clean_environment,
)
from tests.e2e.test_start_and_stop import assert_cannot_start

_NAMED = {"X-Request-Id": "mine-1"}


def test_off_a_terminal_each_line_is_an_object(server: RunningServer) -> None:
    with server.client as client:
        client.get("/todo", headers=_NAMED)
        client.post("/todo", json={"content": "hush"})
    ended = server.stop()

    listed, added = (json.loads(line) for line in ended.err.splitlines())
    assert (listed["route"], listed["status"], listed["request_id"]) == ("/todo", 200, "mine-1")
    assert (listed["client"], listed["process"]) == ("127.0.0.1", server.pid)
    assert (added["method"], added["status"]) == ("POST", 201)
    assert "hush" not in ended.err


def test_lines_may_be_text_and_a_file_has_them_as_objects_too(
    launcher: Launcher, settings: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "log"
    server = launcher.serve(
        settings | {"TODOAPP_LOG_FORMAT": "text", "TODOAPP_LOG_FILE": str(file)}
    )
    with server.client as client:
        client.get("/todo", headers=_NAMED)
    ended = server.stop()

    (line,) = file.read_text().splitlines()
    assert json.loads(line)["request_id"] == "mine-1"
    assert " INFO access: GET /todo 200 " in ended.err and "mine-1" in ended.err


@pytest.mark.parametrize(
    "setting", [{"TODOAPP_ACCESS_LOG": "false"}, {"TODOAPP_LOG_LEVEL": "WARNING"}]
)
def test_the_lines_about_requests_can_be_left_out(
    setting: dict[str, str], launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | setting)
    with server.client as client:
        client.get("/todo")
    ended = server.stop()

    assert ended.err == ""


def test_a_file_that_cannot_be_written_stops_the_start(
    launcher: Launcher, settings: dict[str, str], tmp_path: Path
) -> None:
    refused = launcher.run(settings | {"TODOAPP_LOG_FILE": f"{tmp_path}/missing/log"})

    assert_cannot_start(refused, f"{tmp_path}/missing/log", "TODOAPP_LOG_FILE")


def test_a_reader_that_does_not_read_holds_nobody_up(
    launcher: Launcher, settings: dict[str, str], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # as a writer finds nobody else
    server = launcher.serve(settings, _with_error_to(f"2>'{pipe}'"))

    with server.client as client:  # until the pipe is full, twice over
        assert {client.get("/health/live").status_code for _ in range(600)} == {200}
    server.process.kill()
    os.close(reader)


def test_a_closed_standard_error_is_none(
    launcher: Launcher, settings: dict[str, str], folder: Path
) -> None:
    server = launcher.serve(settings, _with_error_to("2>&-"))

    with server.client as client:
        client.post("/todo", json={"content": "kept"})
        client.get("/nothing")
    assert server.stop().code == 0
    assert b"request" not in (folder / "todo.journal").read_bytes()


def test_whoever_complains_does_it_in_the_same_form() -> None:
    ended = _run("""
        import asyncio, threading, warnings

        async def forgotten():
            raise ValueError("by a task")

        async def main():
            task = asyncio.create_task(forgotten())
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        class Unraisable:
            def __del__(self):
                raise ValueError("by a finalizer")

        logging.getLogger("uvicorn.error").warning("by a library")
        logging.getLogger("uvicorn.error").warning("%d by a mistake", "hush")
        logging.getLogger("sqlalchemy.engine").debug("with values")
        warnings.warn("by a warning")
        thread = threading.Thread(target=lambda: int("by a thread"))
        thread.start()
        thread.join()
        asyncio.run(main())
        Unraisable()
        raise ValueError("by the program")
        """)

    objects = [json.loads(line) for line in ended.stderr.splitlines()]
    told = [f"{line['event']} {line.get('exception')}" for line in objects]
    sources = ("a library", "a warning", "a thread", "a task", "a finalizer", "the program")
    mistake = told.pop(1)
    assert "<string>:" in mistake and "cannot be told" in mistake and "hush" not in mistake
    for line, source in zip(told, sources, strict=True):
        assert f"by {source}" in line


def test_a_crash_loses_no_warning() -> None:
    ended = _run("""
        import os
        logging.getLogger("myapp").warning("the last words")
        os.kill(os.getpid(), 9)
        """)

    assert ended.returncode == -signal.SIGKILL
    assert json.loads(ended.stderr)["event"] == "the last words"


def test_on_a_terminal_lines_are_text() -> None:
    terminal, error = pty.openpty()
    _run("logging.getLogger('myapp').info('hello')", error)
    os.close(error)

    assert b" INFO myapp: hello\r\n" in os.read(terminal, 1_000)
    os.close(terminal)


def _with_error_to(redirection: str) -> tuple[str, ...]:
    return ("sh", "-c", f'exec "$@" {redirection}', "sh", *SERVE)


def _run(program: str, error: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Answer how a program ended that logs as the service does."""
    lines = [line.removeprefix(" " * 8) for line in program.splitlines()]
    return subprocess.run(
        [sys.executable, "-c", "\n".join([*_SET_UP, *lines])],
        env=clean_environment(),
        stderr=error,
        text=True,
        timeout=PATIENCE,
    )


_SET_UP: Sequence[str] = (
    "import logging",
    "from myapp.infrastructure.logs.setup import set_up_logs",
    "set_up_logs(level='DEBUG', form='auto', file=None, requests=True)",
)
