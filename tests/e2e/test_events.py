"""Following what happens on a real server: resuming, slow readers, many, several processes."""

import asyncio
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.e2e.raw_http import read_all
from tests.e2e.running_server import (
    COMMAND_LINE,
    PATIENCE,
    Launcher,
    RunningServer,
    wait_until,
)
from tests.event_source import Event, EventReader
from tests.faults.journals import version_1
from tests.postgresql_server import running_postgresql
from tests.storages import STORAGE_URLS

REQUEST = b"GET /todo/events?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


@contextmanager
def following(
    server: RunningServer, query: str = "", **header: str
) -> Iterator[Iterator[Event]]:
    """Answer what a stream tells, piece by piece; in the end the client goes away."""
    with ExitStack() as stack:
        client = stack.enter_context(server.client)
        request = client.stream("GET", f"/todo/events?{query}", headers=header)
        response = stack.enter_context(request)
        assert response.status_code == 200
        reader = EventReader()
        yield (event for chunk in response.iter_raw() for event in reader.feed(chunk))


@contextmanager
def raw_stream(
    server: RunningServer, *, buffer: int | None = None, times: int = 1
) -> Iterator[socket.socket]:
    """Answer a connection on which a stream was asked for, so many times, and nothing read."""
    with socket.socket() as connection:
        connection.settimeout(PATIENCE)
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(REQUEST * times)
        yield connection


def over(server: RunningServer) -> int:
    """Answer how many streams are over, according to the log."""
    return log(server).count('"route":"/todo/events","status":200,')


def open_streams(server: RunningServer) -> float:
    """Answer how many streams are open, according to the metrics."""
    with server.client as client:
        metrics = client.get("/metrics").text
    return float(metrics.partition("\ntodo_event_streams ")[2].partition("\n")[0])


def log(server: RunningServer) -> str:
    """Answer what a server has logged so far."""
    return server.err.read_text("utf-8")


def add(server: RunningServer, *contents: str, **fields: object) -> list[int]:
    """Add entries one after the other, and answer their revisions."""
    with server.client as client:
        answers = [client.post("/todo", json={"content": c, **fields}) for c in contents]
    assert [answer.status_code for answer in answers] == [201] * len(contents)
    return [int(answer.headers["ETag"].strip('"')) for answer in answers]


@pytest.mark.parametrize("kind", STORAGE_URLS)
def test_resuming_misses_and_repeats_nothing_while_others_write(
    launcher: Launcher, kind: str, tmp_path: Path
) -> None:
    server = launcher.serve({"TODOAPP_STORAGE_URL": STORAGE_URLS[kind](tmp_path)})
    random, contents = Random(7), [f"{number}" for number in range(50)]
    revisions: list[int] = []
    last_event_id = "0"

    with ThreadPoolExecutor() as pool:
        writing = [pool.submit(add, server, *contents) for _ in range(4)]
        while len(revisions) < 200:
            header = {"Last-Event-ID": last_event_id}
            with following(server, **header) as events:
                for _ in range(random.randrange(40)):
                    event = next(events)
                    last_event_id = event.id
                    revisions += [event.revision] if event.data else []
                    if len(revisions) == 200:
                        break
        stored = [revision for done in writing for revision in done.result()]

    assert sorted(stored) == revisions == [*range(1, 201)]


def test_who_was_away_for_too_long_reads_the_list_again(
    launcher: Launcher, settings: dict[str, str], folder: Path
) -> None:
    shutil.copytree(version_1.FOLDER, folder)  # it has no history
    server = launcher.serve(settings)

    with following(server, "since=0") as events:
        assert next(events) == Event("0")
        reset = next(events)
        with server.client as client:
            listed = client.get("/todo").headers["ETag"]
        (added,) = add(server, "more")

        assert reset.type == "reset"
        assert listed == f'"{reset.revision}"'
        assert next(events).revision == added == reset.revision + 1


def test_who_wants_little_is_told_little(server: RunningServer) -> None:
    with following(server, "kind=added&tag=home&tag=shop") as events:
        next(events)
        add(server, "one")
        add(server, "two", tags=["home", "büro"])
        add(server, "three", tags=["büro"])
        add(server, "four", tags=["shop"])

        assert [next(events).revision, next(events).revision] == [2, 4]


def test_who_does_not_read_is_cut_off_while_others_go_on(server: RunningServer) -> None:
    contents = [f"{number}" for number in range(200)]  # some 10 MB: more than the system keeps
    with ThreadPoolExecutor() as pool, raw_stream(server, buffer=4_096) as slow:
        with following(server) as events:
            next(events)
            reading = pool.submit(lambda: [next(events).revision for _ in contents])

            stored = add(server, *contents, notes="牛" * 16_000)

            assert reading.result(PATIENCE) == stored
            wait_until(lambda: over(server) == 1, "the slow one is cut off")
            assert add(server, "one more") == [next(events).revision]
        received = read_all(slow)

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not received.endswith(LAST_CHUNK)


@pytest.mark.parametrize("requests", [1, 2], ids=["one request", "another one behind it"])
def test_the_stream_of_a_client_that_goes_away_is_over(
    server: RunningServer, requests: int
) -> None:
    for _ in range(3):
        with raw_stream(server, times=requests) as connection:
            assert connection.recv(1_024).startswith(b"HTTP/1.1 200 OK\r\n")
            assert open_streams(server) == 1

        wait_until(lambda: open_streams(server) == 0, "the server notices it")
    assert "Traceback" not in server.stop().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_stop_ends_all_streams_properly(
    launcher: Launcher, settings: dict[str, str], number: signal.Signals
) -> None:
    server = launcher.serve(settings | {"TODOAPP_LOG_LEVEL": "WARNING"})
    with ExitStack() as stack:
        connections = [stack.enter_context(raw_stream(server)) for _ in range(5)]
        for connection in connections:
            assert connection.recv(1_024).startswith(b"HTTP/1.1 200 OK\r\n")

        ended = server.stop(number)

        received = [read_all(connection) for connection in connections]
    assert [each.endswith(LAST_CHUNK) for each in received] == [True] * 5
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_one_process_stores_is_told_by_another(
    launcher: Launcher, kind: str, tmp_path: Path
) -> None:
    settings = {"TODOAPP_STORAGE_URL": STORAGE_URLS[kind](tmp_path)}
    one, other = launcher.serve(settings), launcher.serve(settings)
    with following(one, "since=0") as of_one, following(other, "since=0") as of_other:
        for server in (one, other, other, one):
            add(server, "x")
        told = [next(of_one) for _ in range(5)]

        assert [event.id for event in told] == ["0", "1", "2", "3", "4"]
        assert [next(of_other) for _ in range(5)] == told
    with following(other, **{"Last-Event-ID": told[2].id}) as events:
        next(events)
        assert [next(events), next(events)] == told[3:]


def test_a_stream_outlives_an_outage_of_its_database(launcher: Launcher) -> None:
    with running_postgresql() as postgresql:
        settings = {"TODOAPP_STORAGE_URL": postgresql.create_database("todos")}
        assert launcher.run(settings, (*COMMAND_LINE, "storage", "migrate")).code == 0
        server = launcher.serve(settings)
        with following(server) as events:
            next(events)
            postgresql.stop(immediate=True)
            wait_until(lambda: "changes cannot be followed now" in log(server), "it is noticed")
            postgresql.start()
            with server.client as client:
                wait_until(lambda: client.get("/health/ready").is_success, "it is back")

            (added,) = add(server, "after the outage")

            assert next(events).revision == added
        ended = server.stop()
    assert ended.code == 0
    assert "Traceback" not in ended.err


@pytest.mark.usefixtures("many_files")
async def test_a_thousand_streams_are_all_told(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings)
    async with asyncio.timeout(2 * PATIENCE), AsyncExitStack() as stack:
        readers = []
        for _ in range(1_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            stack.callback(writer.close)
            writer.write(REQUEST)
            readers.append(reader)
        await asyncio.gather(*(reader.readuntil(b"id: 0\n\n") for reader in readers))

        await asyncio.to_thread(add, server, "for all")

        told = await asyncio.gather(*(reader.readuntil(b"\n\n") for reader in readers))
    assert len(set(told)) == 1
    assert b"\nid: 1\nevent: added\ndata: {" in told[0]
