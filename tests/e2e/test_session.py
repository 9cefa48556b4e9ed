"""The session that must always work as written, typed in with curl."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.running_server import PATIENCE, Launcher, RunningServer, wait_until
from tests.programs import required_program
from tests.storages import STORAGE_URLS

LIST = "curl localhost:8080/todo/"
ADD = (
    """curl -H "Content-Type: application/json" -d '{"content": "my first entry"}' """
    "localhost:8080/todo/"
)

QUOTE = '"'
AN_ID = rb'"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"'
A_TIME = rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"'

Type = Callable[[str, RunningServer], bytes]


@pytest.fixture(params=STORAGE_URLS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Answer the settings of a service on each storage, by its URL alone."""
    kind: str = request.param
    return {"TODOAPP_STORAGE_URL": STORAGE_URLS[kind](tmp_path)}


@pytest.fixture
def type_in(launcher: Launcher) -> Type:
    """Answer what runs a command at a service's port, and answers what it prints."""
    required_program("curl")

    def run(command: str, server: RunningServer) -> bytes:
        return subprocess.run(
            shlex.split(command.replace("8080", str(server.port))),
            cwd=launcher.working_folder,
            env=launcher.environment,
            stdout=subprocess.PIPE,
            timeout=PATIENCE,
            check=True,
        ).stdout

    return run


def test_the_first_session_answers_what_is_written(
    type_in: Type, server: RunningServer
) -> None:
    before = type_in(LIST, server)
    entry_id = type_in(ADD, server)
    after = type_in(LIST, server)

    assert before == b"[]"
    assert re.fullmatch(AN_ID, entry_id)
    assert re.sub(A_TIME, b'"TIME"', after) == (
        b'[{"id":%b,"content":"my first entry","notes":"","tags":[],"priority":"none",'
        b'"due":null,"done":false,"completed_at":null,"created_at":"TIME",'
        b'"updated_at":"TIME","revision":1}]' % entry_id
    )


def test_what_happens_can_be_followed_repeated_and_undone(
    type_in: Type, launcher: Launcher, server: RunningServer
) -> None:
    todo, as_json = "localhost:8080/todo", '-H "Content-Type: application/json"'
    add = f"""{as_json} -H "Idempotency-Key: bread-1" -d '{{"content": "buy bread"}}' {todo}"""
    following = launcher.start({}, ("curl", "-sN", f"localhost:{server.port}/todo/events"))
    wait_until(lambda: b"id: 0\n" in following.out.read_bytes(), "it is told where it begins")

    entry_id = type_in(f"curl {add}", server)
    entry = f"{todo}/{entry_id.decode('ascii').strip(QUOTE)}"
    type_in(f"""curl -X PATCH {as_json} -d '{{"done": true}}' {entry}""", server)
    again = type_in(f"curl {add}", server)
    undone = type_in(f"curl -X POST {todo}/changes/2/undo", server)
    changes = type_in(f"curl {entry}/changes", server)

    assert again == entry_id
    assert re.findall(rb'"kind":"(\w+)"', changes) == [b"added", b"completed", b"reopened"]
    assert undone in changes
    wait_until(lambda: undone in following.out.read_bytes(), "the last change is told of")
    told = re.findall(rb"event: (\w+)\ndata: (.*)\n", following.out.read_bytes())
    assert [kind for kind, _ in told] == [b"added", b"completed", b"reopened"]
    assert b"[%b]" % b",".join(change for _, change in told) == changes


def test_a_restart_answers_the_same_bytes(
    type_in: Type, launcher: Launcher, settings: dict[str, str], server: RunningServer
) -> None:
    type_in(ADD, server)
    type_in(ADD, server)
    before = type_in(LIST, server)
    server.stop()

    after = type_in(LIST, launcher.serve(settings))

    assert before.count(b"my first entry") == 2
    assert after == before
