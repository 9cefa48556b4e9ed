"""What starting tells, what keeps it from starting, and what stopping leaves behind."""

import json
import re
import shlex
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.raw_http import read_all
from tests.e2e.running_server import (
    COMMAND_LINE,
    PATIENCE,
    SERVE,
    Ended,
    Launcher,
    RunningServer,
    wait_until,
)
from tests.programs import required_program

BOTH_WAYS = pytest.mark.parametrize(
    "command", [SERVE, (*COMMAND_LINE, "serve")], ids=["myapp.app", "myapp serve"]
)
BOTH_SIGNALS = pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"]
)
READY = "/health/ready"

BEGINNING, REST = b'{"content": "sent', b' slowly"}'
HEAD = (
    b"POST /todo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BEGINNING + REST)
)


@BOTH_WAYS
def test_starting_tells_where_the_entries_are_and_where_to_go(
    command: tuple[str, ...], launcher: Launcher, settings: dict[str, str], folder: Path
) -> None:
    server = launcher.serve(settings, command)

    with server.client as client:
        entries, docs = client.get("/todo"), client.get("/docs")
    ended = server.stop()

    assert ended.code == 0
    title, *places = ended.out.splitlines()
    assert re.fullmatch(r"Todo service \d+\.\d+\.\d+\. Stop it with Ctrl-C\.", title)
    assert places == [
        f"  storage  pickle:///{folder}",
        f"  address  {entries.url}",
        f"  docs     {docs.url}",
    ]
    assert entries.json() == []
    assert docs.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_starting_and_stopping_complains_of_nothing(
    prefix: str, launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | {"TODOAPP_API_PREFIX": prefix})

    ended = server.stop()

    assert (ended.code, ended.err) == (0, "")


@BOTH_SIGNALS
def test_a_stop_ends_idle_connections_and_exits_with_0(
    number: signal.Signals, server: RunningServer
) -> None:
    with server.client as client:
        assert client.get("/todo").status_code == 200
        ended = server.stop(number)

    assert ended.code == 0
    assert "Traceback" not in ended.err


@BOTH_SIGNALS
def test_a_stop_lets_a_request_in_flight_finish(
    number: signal.Signals,
    launcher: Launcher,
    settings: dict[str, str],
    server: RunningServer,
) -> None:
    with request_in_flight(server) as connection:
        server.process.send_signal(number)
        wait_until(lambda: not is_listening(server.port), "no more connections are taken")
        connection.sendall(REST)
        head, _, entry_id = read_all(connection).partition(b"\r\n\r\n")
    ended = server.wait()

    assert head.startswith(b"HTTP/1.1 201 ")
    assert ended.code == 0
    assert "Traceback" not in ended.err
    with launcher.serve(settings).client as client:
        entry = client.get(f"/todo/{json.loads(entry_id)}").json()
    assert entry["content"] == "sent slowly"


def test_a_request_that_does_not_finish_in_time_is_given_up(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | {"TODOAPP_SHUTDOWN_TIMEOUT": "0.1"})

    with request_in_flight(server) as connection:
        ended = server.stop()
        answer = read_all(connection)

    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"stopping" in answer


def test_a_service_is_first_not_ready_and_then_not_there(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    """So that a load balancer may send clients elsewhere before they meet a closed port."""
    server = launcher.serve(settings | {"TODOAPP_SHUTDOWN_DELAY": "3600"})

    with server.client as client:
        assert client.get(READY).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get(READY).status_code == 503, "it is not ready")
        with server.client as stranger:
            told = stranger.get(READY).json()
            added = stranger.post("/todo", json={"content": "one more"})
    ended = server.stop(signal.SIGINT)

    assert told["type"] == "/problems/stopping"
    assert added.status_code == 201
    assert ended.code == 0


def test_the_end_of_its_terminal_is_a_stop_unless_it_is_to_be_ignored(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    nohup = required_program("nohup")
    staying = launcher.serve(settings | {"TODOAPP_LOG_LEVEL": "ERROR"}, (nohup, *SERVE))
    staying.process.send_signal(signal.SIGHUP)
    with staying.client as client:
        assert client.get(READY).status_code == 200
    assert staying.stop().code == 0

    going = launcher.serve(settings)
    assert going.stop(signal.SIGHUP).code == 0


@BOTH_WAYS
def test_an_interrupt_while_modules_are_imported_shows_nothing(
    command: tuple[str, ...], launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.start(settings, command)
    wait_until(lambda: handles(server.pid, signal.SIGTERM), "it handles signals")

    ended = server.stop(signal.SIGINT)

    assert (ended.out, ended.err) == ("", "")
    assert ended.code in (0, 130)  # which shells know an interrupt by


@BOTH_SIGNALS
def test_a_start_that_takes_long_can_be_stopped(
    number: signal.Signals, launcher: Launcher, tmp_path: Path
) -> None:
    path = tmp_path / "todo.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        server = launcher.start(
            {"TODOAPP_STORAGE_URL": f"sqlite:///{path}", "TODOAPP_STATEMENT_TIMEOUT": "3600"}
        )
        wait_until(lambda: has_open(server.pid, path), "it waits for the storage")
        ended = server.stop(number)

    assert ended == Ended(0, "", "")


def test_a_second_ctrl_c_waits_for_nobody(server: RunningServer) -> None:
    with request_in_flight(server) as connection:
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: not is_listening(server.port), "no more connections are taken")
        ended = server.stop(signal.SIGINT)
        answer = read_all(connection)

    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert answer == b"" or b"\r\ncontent-type: application/problem+json\r\n" in answer


def test_a_second_process_on_a_folder_is_refused(
    launcher: Launcher, settings: dict[str, str], folder: Path, server: RunningServer
) -> None:
    refused = launcher.run(settings)

    assert_cannot_start(refused, str(folder), f"pid {server.pid}", "TODOAPP_STORAGE_DIR")
    with server.client as client:
        assert client.get(READY).status_code == 200


def test_a_folder_is_free_again_once_its_process_was_killed(
    launcher: Launcher, settings: dict[str, str], server: RunningServer
) -> None:
    server.stop(signal.SIGKILL)

    with launcher.serve(settings).client as client:
        assert client.get(READY).status_code == 200


def test_a_port_in_use_is_reported(
    launcher: Launcher, settings: dict[str, str], server: RunningServer, tmp_path: Path
) -> None:
    other = {"TODOAPP_STORAGE_DIR": str(tmp_path / "other"), "TODOAPP_PORT": str(server.port)}

    refused = launcher.run(settings | other)

    assert_cannot_start(refused, f"127.0.0.1:{server.port}", "TODOAPP_PORT")


def test_a_port_that_is_taken_at_the_last_moment_is_reported_too(
    launcher: Launcher, settings: dict[str, str], tmp_path: Path
) -> None:
    """Two processes may both bind an address; it is the first to listen that has it."""
    strace = required_program("strace")
    last_moment = ("-e", "trace=listen", "-e", "inject=listen:error=EADDRINUSE")
    log = str(tmp_path / "strace.log")

    refused = launcher.run(settings, (strace, "-f", "-qq", "-o", log, *last_moment, *SERVE))

    assert_cannot_start(refused, "127.0.0.1:", "TODOAPP_PORT")


def test_a_port_that_is_for_others_is_reported(
    launcher: Launcher, settings: dict[str, str], tmp_path: Path
) -> None:
    strace = required_program("strace")
    forbidden = ("-e", "trace=bind", "-e", "inject=bind:error=EACCES")
    log = str(tmp_path / "strace.log")

    refused = launcher.run(settings, (strace, "-f", "-qq", "-o", log, *forbidden, *SERVE))

    assert_cannot_start(refused, "127.0.0.1:", "Permission denied", "TODOAPP_PORT")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"TODOAPP_STORAGE_DIR": "/dev/null/todos"}, "/dev/null"),
        ({"TODOAPP_STORAGE_URL": "sqlite:////dev/null/todo.db"}, "/dev/null"),
        ({"TODOAPP_STORAGE_URL": "postgresql://me:secret@127.0.0.1:9/todo"}, "127.0.0.1:9"),
        ({"TODOAPP_LOG_FILE": "/dev/null/todo.log"}, "TODOAPP_LOG_FILE"),
        ({"TODOAPP_WORKERS": "2"}, "myapp storage copy"),
    ],
    ids=["folder", "file", "server", "log file", "workers on a folder"],
)
def test_what_cannot_be_used_is_reported_in_one_line(
    wrong: dict[str, str], named: str, launcher: Launcher, settings: dict[str, str]
) -> None:
    whole = wrong if "TODOAPP_STORAGE_URL" in wrong else settings | wrong

    refused = launcher.run(whole)

    assert_cannot_start(refused, named)
    assert len(refused.err.splitlines()) == 1
    assert "secret" not in refused.err


def test_a_host_that_cannot_be_one_is_reported(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    refused = launcher.run(settings | {"TODOAPP_HOST": "local..host"})

    assert_cannot_start(refused, "local..host", "TODOAPP_HOST")


def test_a_file_in_the_place_of_the_folder_is_reported(
    launcher: Launcher, settings: dict[str, str], folder: Path
) -> None:
    folder.write_text("a shopping list")

    refused = launcher.run(settings)

    assert_cannot_start(refused, str(folder), "TODOAPP_STORAGE_DIR")
    assert folder.read_text() == "a shopping list"


@BOTH_WAYS
def test_all_wrong_settings_are_reported_together_a_line_each(
    command: tuple[str, ...], launcher: Launcher
) -> None:
    wrong = {
        "TODOAPP_STORAGE_URL": "mysql://me:secret@localhost/todo",
        "TODOAPP_PORT": "eighty",
        "TODOAPP_LOG_LEVEL": "loud",
        "TODOAPP_API_PREFIX": "api/",
    }
    accepted = {
        "TODOAPP_STORAGE_URL=mysql://me:***@localhost/todo": "pickle:///",
        "TODOAPP_PORT=eighty": "from 0 to 65535",
        "TODOAPP_LOG_LEVEL=loud": "DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "TODOAPP_API_PREFIX=api/": "/api",
    }

    refused = launcher.run(wrong, command)

    assert_cannot_start(refused)
    lines = dict(line.split(": ", 1) for line in refused.err.splitlines()[1:])
    assert lines.keys() == accepted.keys()
    assert all(words in lines[setting] for setting, words in accepted.items())


def test_naming_the_storage_in_two_ways_is_refused(launcher: Launcher, tmp_path: Path) -> None:
    url, other = f"pickle:///{tmp_path}/one", f"{tmp_path}/another"

    refused = launcher.run({"TODOAPP_STORAGE_URL": url, "TODOAPP_STORAGE_DIR": other})

    assert_cannot_start(refused, "TODOAPP_STORAGE_URL", "TODOAPP_STORAGE_DIR", "choose")
    assert not Path(other).exists()


def test_a_file_in_the_working_folder_sets_what_the_environment_does_not(
    launcher: Launcher, tmp_path: Path
) -> None:
    lines = f"TODOAPP_PORT=eighty\nTODOAPP_STORAGE_DIR={tmp_path}/from a file\n"
    (launcher.working_folder / ".env").write_text(lines)

    server = launcher.serve({"TODOAPP_PORT": "0"})

    assert server.storage == f"pickle:///{tmp_path}/from a file"


def test_a_file_of_settings_that_cannot_be_read_is_reported(launcher: Launcher) -> None:
    (launcher.working_folder / ".env").write_bytes(b"TODOAPP_LOG_LEVEL=caf\xe9\n")

    refused = launcher.run({})

    assert_cannot_start(refused, ".env")


@pytest.mark.parametrize(("host", "is_warned"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_host_beyond_loopback_is_warned_about(
    host: str, is_warned: bool, launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | {"TODOAPP_HOST": host})

    assert is_listening(server.port)
    ended = server.stop()
    assert (f"TODOAPP_HOST={host}: " in ended.err) is is_warned


def test_without_settings_the_entries_are_among_the_users_own_data(
    launcher: Launcher, tmp_path: Path
) -> None:
    data = tmp_path / "data"

    server = launcher.serve({"XDG_DATA_HOME": str(data)})
    with server.client as client:
        client.post("/todo", json={"content": "kept"})

    assert server.storage == f"pickle:///{data / 'todoapp'}"
    assert b"kept" in (data / "todoapp" / "todo.journal").read_bytes()
    assert list(launcher.homes["TMPDIR"].iterdir()) == []


def test_a_damaged_journal_stops_the_start_until_it_is_salvaged(
    launcher: Launcher, settings: dict[str, str], folder: Path, server: RunningServer
) -> None:
    journal = folder / "todo.journal"
    offsets = []
    with server.client as client:
        for content in ("first", "second", "third"):
            offsets.append(journal.stat().st_size)
            client.post("/todo", json={"content": content})
    server.stop()
    damaged = journal.read_bytes().replace(b"second", b"secomd")
    journal.write_bytes(damaged)

    refused = launcher.run(settings)

    assert_cannot_start(refused, str(journal), f"offset {offsets[1]}")
    assert journal.read_bytes() == damaged
    (told,) = re.findall(r"myapp (storage salvage .+)", refused.err)
    salvage = (*COMMAND_LINE, *shlex.split(told))
    assert salvage == (*COMMAND_LINE, "storage", "salvage", str(folder))
    assert launcher.run({}, salvage).code == 0
    with launcher.serve(settings).client as client:
        kept = [entry["content"] for entry in client.get("/todo").json()]
    assert kept == ["first", "third"]
    assert damaged in [path.read_bytes() for path in folder.iterdir()]


@contextmanager
def request_in_flight(server: RunningServer) -> Iterator[socket.socket]:
    """Answer a connection with a request that the service has begun to read; REST lacks."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        connection.sendall(HEAD)
        assert connection.recv(1_024).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BEGINNING)
        yield connection


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    with suppress(FileNotFoundError):  # of one that it has just closed
        return any(file.readlink() == path for file in Path(f"/proc/{pid}/fd").iterdir())
    return False


def assert_cannot_start(ended: Ended, *named: str) -> None:
    """Fail unless the start was refused with a message that names all of these."""
    assert ended.code == 1
    assert ended.out == ""
    assert "Traceback" not in ended.err
    beginning, _, message = ended.err.partition("The todo service cannot start:")
    assert beginning == ""
    assert message
    assert [name for name in named if name not in message] == []


def is_listening(port: int) -> bool:
    """Whether a connection to the port is taken."""
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True
