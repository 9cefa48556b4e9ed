"""Commands as processes: ended by Ctrl-C wherever they are, fed and read by pipes."""

import asyncio
import json
import os
import pty
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from myapp.infrastructure.database.storage import open_archive
from tests.contract.entries import new_entry
from tests.e2e.running_server import (
    COMMAND_LINE,
    PATIENCE,
    Launcher,
    clean_environment,
    launching,
)
from tests.realistic_entries import realistic_entries
from tests.storages import STORAGE_URLS
from tests.transfer.carrying import files_in, fill, held_by, in_order

_READERS_WAIT, _WRITERS_WAIT = "ACCESS EXCLUSIVE", "SHARE"
_SOMEBODY_WAITS = """
    SELECT EXISTS (
        SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE datname = current_database() AND NOT granted
    )
"""
_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
_LAST_LINE = "Interrupted: run it again.\n"
_MORE_THAN_A_PIPE_HOLDS = 1 << 20


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    """Answer what starts processes; those that still run at the end are stopped."""
    with launching(tmp_path / "launcher") as launcher:
        yield launcher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for files."""
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def url(folder: Path) -> str:
    """The URL of a storage on PostgreSQL, where a test can hold up whoever reads or writes."""
    return STORAGE_URLS["postgresql"](folder)


@asynccontextmanager
async def held_up(url: str, mode: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let whoever wants to read the entries wait meanwhile, or only whoever writes them.

    Answers what returns once somebody waits.
    """
    connection = await asyncpg.connect(url)

    async def until_somebody_waits() -> None:
        deadline = monotonic() + PATIENCE
        while not await connection.fetchval(_SOMEBODY_WAITS):
            assert monotonic() < deadline, "waited in vain until somebody waits"
            await asyncio.sleep(0.01)

    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE todo_entry IN {mode} MODE")
            yield until_somebody_waits
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [
        (("storage", "copy", "{url}", "{new}"), "copying"),
        (("storage", "backup", "{folder}/backup", "--storage", "{url}"), "reading"),
        (("export", "{folder}/export.csv", "--storage", "{url}"), "exporting"),
        (("export", "--storage", "{url}"), "exporting"),
    ],
    ids=lambda value: " ".join(value[:2]),
)
@pytest.mark.parametrize("number", _SIGNALS)
async def test_whoever_reads_a_storage_can_be_interrupted_and_run_again(
    arguments: Sequence[str],
    stage: str,
    number: signal.Signals,
    url: str,
    folder: Path,
    launcher: Launcher,
) -> None:
    await fill(url, [new_entry("a"), new_entry("b")])
    new = f"sqlite:///{folder}/new.db"
    arguments = [argument.format(url=url, folder=folder, new=new) for argument in arguments]
    async with held_up(url, _READERS_WAIT) as until_it_waits:
        command = launcher.start({}, (*COMMAND_LINE, *arguments))
        await until_it_waits()
        ended = command.stop(number)
        assert (ended.code, ended.out) == (130, "")
        assert f"{stage}: " in ended.err
        assert ended.err.endswith(_LAST_LINE)
        assert "Traceback" not in ended.err
        assert not [name for name in files_in(folder) if "new.db" not in name]
    assert launcher.run({}, (*COMMAND_LINE, *arguments)).code == 0


@pytest.mark.parametrize("number", _SIGNALS)
async def test_a_command_that_shows_no_progress_can_be_interrupted(
    number: signal.Signals, url: str, launcher: Launcher
) -> None:
    async with held_up(url, _READERS_WAIT) as until_it_waits:
        command = launcher.start({}, (*COMMAND_LINE, "storage", "check", url))
        await until_it_waits()
        ended = command.stop(number)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.endswith(f"\n{_LAST_LINE}")


async def test_a_restore_can_be_interrupted_and_run_again(
    url: str, folder: Path, launcher: Launcher
) -> None:
    entries = await fill(f"sqlite:///{folder}/todos.db", [new_entry("a"), new_entry("b")])
    file = f"{folder}/backup"
    storage = ("--storage", f"sqlite:///{folder}/todos.db")
    assert launcher.run({}, (*COMMAND_LINE, "storage", "backup", file, *storage)).code == 0
    restore = ("storage", "restore", file, "--storage", url)
    async with held_up(url, _WRITERS_WAIT) as until_it_waits:
        command = launcher.start({}, (*COMMAND_LINE, *restore))
        await until_it_waits()
        ended = command.stop(signal.SIGINT)
        assert (ended.code, ended.out) == (130, "")
        assert ended.err.endswith(_LAST_LINE)
    assert await held_by(open_archive(url)) == []
    assert launcher.run({}, (*COMMAND_LINE, *restore)).code == 0
    assert await held_by(open_archive(url)) == in_order(entries)


@pytest.mark.parametrize(
    ("stage", "mode"), [("checking", _READERS_WAIT), ("storing", _WRITERS_WAIT)]
)
async def test_an_import_can_be_interrupted_and_run_again(
    stage: str, mode: str, url: str, folder: Path, launcher: Launcher
) -> None:
    (folder / "a.jsonl").write_text('{"content":"a"}\n' * 600)
    arguments = ("import", f"{folder}/a.jsonl", "--storage", url, "--json")
    impatient = {"TODOAPP_STATEMENT_TIMEOUT": "1"}
    async with held_up(url, mode) as until_it_waits:
        command = launcher.start(impatient, (*COMMAND_LINE, *arguments))
        await until_it_waits()
        ended = command.stop(signal.SIGINT)
    assert (ended.code, ended.out) == (130, "")
    assert f"{stage}: " in ended.err
    assert ended.err.endswith(_LAST_LINE)
    again = json.loads(launcher.run({}, (*COMMAND_LINE, *arguments)).out)
    assert again["added"] + again["unchanged"] == again["entries"] == 600


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a command whose standard input and output are pipes."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        (*COMMAND_LINE, *arguments),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=clean_environment(),
    )


@pytest.fixture
def large(folder: Path) -> str:
    """The URL of a storage that does not fit into a pipe."""
    url = STORAGE_URLS["sqlite"](folder)
    asyncio.run(fill(url, list(realistic_entries(1_000))))
    return url


def test_what_is_exported_through_a_pipe_is_imported_through_one(
    large: str, folder: Path
) -> None:
    copy = f"pickle:///{folder}/copy"
    with start("export", "--storage", large) as exporting:
        data, told = exporting.communicate(timeout=PATIENCE)
    assert exporting.returncode == 0
    with start("import", "-", "--storage", copy, "--json") as importing:
        out, _ = importing.communicate(data, PATIENCE)
    imported = json.loads(out)
    assert imported["added"] == 1_000
    assert f"digest   {imported['digest']}" in told.decode()


def test_an_export_ends_quietly_when_its_reader_does(large: str) -> None:
    with start("export", "--storage", large) as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.readline().startswith(b"{")
        command.stdout.close()
        err = command.stderr.read()
        assert command.wait(PATIENCE) == 1
    assert err.endswith(b"\nNobody reads the output any more.\n")
    assert b"Traceback" not in err and b"Exception ignored" not in err


@pytest.mark.parametrize("command", ["storage status {url}", "storage check {url}"])
def test_an_answer_that_nobody_reads_any_more_is_told_in_a_line(
    command: str, large: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = in_shell(command.format(url=large), stdout=writer)
    os.close(writer)
    told = ended.stderr.removeprefix("comparing: 0 of 1,000\n")
    assert (ended.returncode, told) == (1, "Nobody reads the output any more.\n")


def test_an_answer_is_not_told_where_standard_output_is_closed(large: str) -> None:
    ended = in_shell(f"storage status {large} >&-")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_is_wrong_is_not_told_on_standard_output_where_standard_error_is_closed(
    large: str, folder: Path
) -> None:
    (folder / "bad.jsonl").write_text("{\n")
    failed = in_shell(f"import {folder}/bad.jsonl --storage {large} 2>&-")
    assert (failed.returncode, failed.stdout) == (3, "")
    exported = in_shell(f"export --storage {large} 2>&-")
    assert (exported.returncode, exported.stdout.count("\n")) == (0, 1_000)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("export --storage {url} >&-", "Standard output is closed.\n"),
        ("import - --storage {url} <&-", "Standard input is closed.\n"),
    ],
)
def test_a_closed_stream_that_is_needed_is_told(command: str, told: str, large: str) -> None:
    ended = in_shell(command.format(url=large))
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", told)


def in_shell(command: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run a command, whose streams the shell may close, and answer how it ended."""
    return subprocess.run(
        ("sh", "-c", f"{shlex.join(COMMAND_LINE)} {command}"),
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
        timeout=PATIENCE,
    )


def test_an_export_whose_reader_has_stopped_reading_can_be_interrupted(large: str) -> None:
    with start("export", "--storage", large) as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.read(1) == b"{"
        command.send_signal(signal.SIGINT)
        assert command.wait(PATIENCE) == 130
        assert command.stderr.read().endswith(_LAST_LINE.encode())


def test_an_import_that_waits_for_its_input_can_be_interrupted(folder: Path) -> None:
    with start("import", "-", "--storage", f"sqlite:///{folder}/new.db") as command:
        assert command.stdin is not None and command.stderr is not None
        command.stdin.write(b"\n" * _MORE_THAN_A_PIPE_HOLDS)  # so it reads when this is done
        command.stdin.flush()
        command.send_signal(signal.SIGINT)
        assert command.wait(PATIENCE) == 130
        assert command.stderr.read() == _LAST_LINE.encode()
    assert files_in(folder) == []


def test_progress_is_shown_by_bars_on_a_terminal(large: str, folder: Path) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        (*COMMAND_LINE, "export", f"{folder}/a.csv", "--storage", large),
        stdout=subprocess.PIPE,
        stderr=slave,
        env=clean_environment() | {"TERM": "xterm", "COLUMNS": "100"},
    ) as command:
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65_536):
                shown += data
        except OSError:  # which is how the end of a terminal is told
            pass
        finally:
            os.close(master)
        out, _ = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0
    assert b"exporting" in shown and b"1000/1000" in shown and b"\x1b[" in shown
    assert b"entries  1,000\n" in out and b"\x1b" not in out
