"""Several processes that serve one storage: as one service, whatever becomes of one of them."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from threading import Event

import httpx2
import pytest

from tests.e2e.running_server import (
    COMMAND_LINE,
    Ended,
    Launcher,
    RunningServer,
    launching,
    wait_until,
)
from tests.event_source import EventReader
from tests.storages import STORAGE_URLS

FAILING = (sys.executable, "-m", "tests.e2e.failing_workers")
TWO = (*COMMAND_LINE, "serve", "--workers", "2")

_numbers = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """Answer two workers on a storage that several processes may use."""
    folder = tmp_path_factory.mktemp("workers")
    with launching(folder / "launcher") as launcher:
        yield launcher.serve({"TODOAPP_STORAGE_URL": STORAGE_URLS[request.param](folder)}, TWO)


@pytest.fixture
def sqlite(tmp_path: Path) -> dict[str, str]:
    """Answer the settings of a service on a file of its own."""
    return {"TODOAPP_STORAGE_URL": STORAGE_URLS["sqlite"](tmp_path)}


def test_what_one_worker_has_stored_is_there_for_all(service: RunningServer) -> None:
    with ExitStack() as stack:
        one, other = clients_of_both(service, stack)

        entry_id = one.post("/todo", json={"content": "shared"}).json()
        seen = other.get(f"/todo/{entry_id}")
        tagged = other.put(f"/todo/{entry_id}/tags/home")

        assert seen.json()["content"] == "shared"
        assert one.get(f"/todo/{entry_id}").json() == tagged.json()


def test_who_follows_one_worker_learns_what_another_does(service: RunningServer) -> None:
    with ExitStack() as stack:
        one, other = clients_of_both(service, stack)

        response = stack.enter_context(one.stream("GET", "/todo/events"))
        reader = EventReader()
        events = (event for chunk in response.iter_raw() for event in reader.feed(chunk))
        next(events)  # of no change: from here on it tells of all
        entry_id = other.post("/todo", json={"content": "news"}).json()

        assert json.loads(next(event.data for event in events if event.data))["id"] == entry_id


def test_a_worker_that_is_killed_is_replaced_and_nothing_acknowledged_is_lost(
    service: RunningServer,
) -> None:
    enough = Event()
    victim, survivor = before = workers_of(service.pid)
    with ThreadPoolExecutor() as pool:
        writing = [pool.submit(added_until, enough, service) for _ in range(4)]
        try:
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(set(workers_of(service.pid)) - {victim}) == 2, "it is back")
            with ExitStack() as stack:
                clients_of_both(service, stack)
        finally:
            enough.set()
        added = [entry_id for writer in writing for entry_id in writer.result()]

    assert survivor in workers_of(service.pid)
    assert before != workers_of(service.pid)
    assert added
    with service.client as client:
        assert {client.get(f"/todo/{entry_id}").status_code for entry_id in added} == {200}


def test_a_ctrl_c_for_all_processes_of_a_terminal_ends_them_without_a_word(
    launcher: Launcher, sqlite: dict[str, str]
) -> None:
    server = launcher.serve(sqlite | {"TODOAPP_LOG_LEVEL": "WARNING"}, TWO)
    processes = children_of(server.pid)

    with server.client as client:
        assert client.get("/todo").status_code == 200
        os.killpg(server.pid, signal.SIGINT)
        ended = server.wait()

    assert (ended.code, ended.err) == (0, "")
    wait_until(lambda: not any(map(is_running, processes)), "all are gone")


def test_workers_do_not_outlive_who_has_started_them_and_clean_up_behind_them(
    launcher: Launcher, sqlite: dict[str, str]
) -> None:
    server = launcher.serve(sqlite, TWO)
    processes = children_of(server.pid)
    temporary = launcher.homes["TMPDIR"]
    assert list(temporary.iterdir())

    server.stop(signal.SIGKILL)

    wait_until(lambda: not any(map(is_running, processes)), "all are gone")
    assert list(temporary.iterdir()) == []


def test_a_worker_that_cannot_start_says_why_and_nobody_works(launcher: Launcher) -> None:
    ended = launcher.run({}, FAILING)

    assert ended == Ended(1, "", "There is no place for two.\n")


def clients_of_both(server: RunningServer, stack: ExitStack) -> list[httpx2.Client]:
    """Answer a client of each worker; the system decides whose a connection is."""
    clients: dict[int, httpx2.Client] = {}

    def has_both() -> bool:
        client = stack.enter_context(server.client)
        clients.setdefault(worker_of(client, server), client)
        return len(clients) == 2

    wait_until(has_both, "both have a client")
    return list(clients.values())


def worker_of(client: httpx2.Client, server: RunningServer) -> int:
    """Answer the id of the process that a client is connected to, as the log tells it."""
    name = f"who-{next(_numbers)}"
    client.get("/health/live", headers={"X-Request-Id": name})
    told: list[int] = []

    def is_told() -> bool:
        lines = server.err.read_text("utf-8").splitlines()
        told.extend(json.loads(line)["process"] for line in lines if f'"{name}"' in line)
        return bool(told)

    wait_until(is_told, "the request is logged")
    return told[0]


def added_until(enough: Event, server: RunningServer) -> list[str]:
    """Add entries, each through a new connection, and answer the ids that were acknowledged."""
    added = []
    while not enough.is_set():
        try:
            with server.client as client:
                response = client.post("/todo", json={"content": "kept"})
        except httpx2.TransportError:
            continue  # the worker is dead: whether it was stored nobody knows
        assert response.status_code == 201
        added.append(response.json())
    return added


def workers_of(pid: int) -> list[int]:
    """Answer the workers among the processes that a service has started."""
    return [child for child in children_of(pid) if "spawn_main" in told_of(child, "cmdline")]


def children_of(pid: int) -> list[int]:
    """Answer the processes that a process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return sorted(map(int, children.split()))


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only its exit code."""
    status = told_of(pid, "stat").rpartition(")")[2].split()
    return bool(status) and status[0] != "Z"


def told_of(pid: int, what: str) -> str:
    """Answer what the system tells of a process; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
