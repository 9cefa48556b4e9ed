"""PostgreSQL goes away under load and comes back: nothing acknowledged is lost, nobody hangs.

OUTAGES sets how often it does: by default a few times. The figures are shown with `-s`.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from uuid import UUID, uuid4

import asyncpg
import pytest

from myapp.infrastructure.database.storage import open_archive
from tests.faults.bad_network import BadNetwork
from tests.faults.server_process import (
    Answer,
    ServerProcess,
    ask,
    assert_problem,
    entries,
    wait_until_not_ready,
    wait_until_ready,
)
from tests.faults.short_ways import DEADLINE
from tests.postgresql_server import PostgresqlServer, running_postgresql

_OUTAGES = int(os.environ.get("OUTAGES", "4"))
_CLIENTS = 6
_TAGS = 20
_LONGEST_ANSWER = 5.0
"""Seconds within which whoever is refused hears of it, when a server is down."""
_IMPATIENCE = 0.5
_LONGEST_SILENCE = _IMPATIENCE + 3 + 1
"""The same when it says nothing: the timeout, and what giving up the connection takes."""
_PAUSE = 0.01
_CUTS_PER_OUTAGE = 5
_DELAY = 0.02
"""Seconds that a slow network takes each way: a save goes there and back some six times."""

_STOPS: Sequence[Callable[[PostgresqlServer], None]] = (
    PostgresqlServer.kill,
    PostgresqlServer.stop,
    lambda server: server.stop(immediate=True),
)


@pytest.fixture
def postgresql() -> Iterator[PostgresqlServer]:
    """A server that keeps what it acknowledges, whatever happens to it."""
    with running_postgresql(fsync=True) as server:
        yield server


@pytest.fixture
def url(postgresql: PostgresqlServer) -> str:
    """The URL of a database with the newest schema."""
    url = postgresql.create_database("todos")
    asyncio.run(open_archive(url).migrate())
    return url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services wait for a database only for a short while."""
    for name in ("TODOAPP_STATEMENT_TIMEOUT", "TODOAPP_CONNECTION_TIMEOUT"):
        monkeypatch.setenv(name, str(_IMPATIENCE))


def test_an_outage_costs_nothing_that_was_acknowledged_and_is_recovered_from(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    recoveries = []
    with _working(tmp_path, url) as (clients, service):
        for number in range(_OUTAGES):
            _wait_for_more(clients, "acknowledged", 25)
            _STOPS[number % len(_STOPS)](postgresql)
            if number % 4 < 2:  # down for a while, and not only restarted
                _wait_for_more(clients, "refused", 1)
                _assert_not_ready(service)
            postgresql.start()
            started = monotonic()
            _wait_for_more(clients, "acknowledged", 1)
            recoveries.append(monotonic() - started)
            _wait_until(lambda: _ready(service).status == 200)
    print(
        f"\n{_OUTAGES} outages: {_account(clients)};"
        f" every client was served again after {max(recoveries):.2f} s at most"
    )
    assert _longest(clients) < _LONGEST_ANSWER


def test_connections_that_are_ended_or_cut_off_cost_nothing_that_was_acknowledged(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    cuts = _CUTS_PER_OUTAGE * _OUTAGES
    with _network(postgresql, url) as (network, through):
        with _working(tmp_path, through) as (clients, _):
            for number in range(cuts):
                _wait_for_more(clients, "acknowledged", number % 7)
                if number % 2:
                    postgresql.end_connections()
                else:
                    network.cut()
            _wait_for_more(clients, "acknowledged", 1)
    print(f"\n{cuts} times cut off: {_account(clients)}")


def test_a_slow_network_makes_answers_slow_and_nothing_worse(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    with _network(postgresql, url) as (network, through):
        with _working(tmp_path, through) as (clients, _):
            network.delay = _DELAY
            _wait_for_more(clients, "acknowledged", 5)
            network.delay = 0.0
            _wait_for_more(clients, "acknowledged", 10)
    assert sum(client.refused for client in clients) == 0
    print(f"\n{1_000 * _DELAY:.0f} ms each way: {_account(clients)}")


def test_a_server_that_falls_silent_costs_requests_a_timeout_and_nothing_else(
    postgresql: PostgresqlServer, url: str, tmp_path: Path, impatient: None
) -> None:
    with _working(tmp_path, url) as (clients, service):
        _wait_for_more(clients, "acknowledged", 25)
        with postgresql.frozen():
            _wait_for_more(clients, "refused", 1)
            _assert_not_ready(service)
        _wait_for_more(clients, "acknowledged", 1)
        _wait_until(lambda: _ready(service).status == 200)
    print(f"\nsilent once: {_account(clients)}")
    assert _longest(clients) < _LONGEST_SILENCE


async def test_a_statement_that_waits_too_long_is_given_up(
    url: str, tmp_path: Path, impatient: None
) -> None:
    with ServerProcess(tmp_path / "service", url=url) as service:
        holder = await asyncpg.connect(url)
        async with holder.transaction():
            await holder.execute("LOCK TABLE todo_store, todo_entry")
            with closing(service.connect()) as connection:
                for method, path in [("GET", "/todo"), ("PUT", f"/todo/{uuid4()}")]:
                    body = None if method == "GET" else {"content": "x"}
                    answer = await asyncio.to_thread(ask, connection, method, path, body)
                    assert_problem(answer, 503, "storage-unavailable")
        await holder.close()
        with closing(service.connect()) as connection:
            await asyncio.to_thread(wait_until_ready, connection)
            assert entries(connection) == []


def test_a_service_started_during_an_outage_says_what_it_cannot_reach(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    postgresql.stop()
    with pytest.raises(AssertionError, match=f"127.0.0.1:{postgresql.port}/.* cannot be used"):
        ServerProcess(tmp_path / "service", url=url)
    postgresql.start()
    with ServerProcess(tmp_path / "service", url=url) as service:
        assert _ready(service).status == 200


class _Client:
    """Adds entries and tags without a pause, and notes what was acknowledged.

    What was refused may have been done, or may not.
    """

    def __init__(self) -> None:
        self.acknowledged = 0
        self.refused = 0
        self.longest = 0.0
        self.failure: BaseException | None = None
        self.revisions: list[int] = []
        self.present: dict[UUID, set[str]] = {}  # the tags that an entry is known to have
        self.possible: dict[UUID, set[str]] = {}  # and all that it may have

    def work(self, service: ServerProcess, is_over: Event) -> None:
        """Work until it is over; anything unexpected is the failure."""
        try:
            with closing(service.connect()) as connection:
                while not is_over.is_set():
                    self._add_an_entry_with_tags(connection, is_over)
        except BaseException as error:  # or nobody would hear of it: this is a thread
            self.failure = error

    def check(self, entry_id: UUID, answer: Answer) -> None:
        """Assert that an entry has the tags that it must have, and only those it may have."""
        assert answer.status == 200, answer
        found = set(answer.body["tags"])
        assert self.present[entry_id] <= found <= self.possible[entry_id]

    def _add_an_entry_with_tags(self, connection: HTTPConnection, is_over: Event) -> None:
        entry_id = uuid4()
        self.possible[entry_id] = set()
        if not self._put(connection, f"/todo/{entry_id}", 201, {"content": "x"}):
            return
        self.present[entry_id] = set()
        for tag in map(str, range(_TAGS)):
            if is_over.is_set():
                return
            self.possible[entry_id].add(tag)
            if self._put(connection, f"/todo/{entry_id}/tags/{tag}", 200):
                self.present[entry_id].add(tag)
        answer = self._ask(connection, "GET", f"/todo/{entry_id}")
        if answer.status != 503:
            self.check(entry_id, answer)

    def _put(
        self, connection: HTTPConnection, path: str, status: int, body: object = None
    ) -> bool:
        """Put something, and answer whether that was acknowledged."""
        answer = self._ask(connection, "PUT", path, body)
        if answer.status == 503:
            self.refused += 1
            return False
        assert answer.status == status, answer
        self.revisions.append(answer.body["revision"])
        self.acknowledged += 1
        return True

    def _ask(
        self, connection: HTTPConnection, method: str, path: str, body: object = None
    ) -> Answer:
        started = monotonic()
        answer = ask(connection, method, path, body)
        self.longest = max(self.longest, monotonic() - started)
        if answer.status >= 500:
            assert_problem(answer, 503, "storage-unavailable")
        return answer


@contextmanager
def _network(postgresql: PostgresqlServer, url: str) -> Iterator[tuple[BadNetwork, str]]:
    """Answer a network, and the URL by which a database is reached through it."""
    network = BadNetwork(postgresql.port)
    with network.running():
        yield network, url.replace(f":{postgresql.port}/", f":{network.port}/")


@contextmanager
def _working(folder: Path, url: str) -> Iterator[tuple[Sequence[_Client], ServerProcess]]:
    """Answer clients, each at work in a thread meanwhile, and the service that they use.

    In the end none may have failed, and what they were acknowledged has to be there.
    """
    clients = [_Client() for _ in range(_CLIENTS)]
    is_over = Event()
    with ServerProcess(folder / "service", url=url) as service:
        threads = [Thread(target=client.work, args=[service, is_over]) for client in clients]
        for thread in threads:
            thread.start()
        try:
            yield clients, service
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        _raise_failures(clients)
        _check(clients, service)


def _raise_failures(clients: Sequence[_Client]) -> None:
    for client in clients:
        if client.failure is not None:
            raise client.failure


def _longest(clients: Sequence[_Client]) -> float:
    return max(client.longest for client in clients)


def _account(clients: Sequence[_Client]) -> str:
    return (
        f"{sum(client.acknowledged for client in clients)} writes acknowledged,"
        f" {sum(client.refused for client in clients)} refused;"
        f" the longest answer took {_longest(clients):.2f} s"
    )


def _wait_for_more(clients: Sequence[_Client], what: str, more: int) -> None:
    """Answer once every client has counted so many more, the first of them under way."""
    before = [getattr(client, what) for client in clients]

    def has_come() -> bool:
        _raise_failures(clients)
        now = [getattr(client, what) for client in clients]
        return all(later > earlier + more for later, earlier in zip(now, before, strict=True))

    _wait_until(has_come)


def _wait_until(condition: Callable[[], bool]) -> None:
    end = monotonic() + DEADLINE
    while not condition():
        assert monotonic() < end, "it does not happen"
        sleep(_PAUSE)


def _check(clients: Sequence[_Client], service: ServerProcess) -> None:
    """Assert that everything acknowledged is there, each under a revision of its own."""
    with closing(service.connect()) as connection:
        for client in clients:
            for entry_id in client.present:
                client.check(entry_id, ask(connection, "GET", f"/todo/{entry_id}"))
    revisions = [revision for client in clients for revision in client.revisions]
    assert len(revisions) == len(set(revisions))


def _ready(service: ServerProcess) -> Answer:
    with closing(service.connect()) as connection:
        return ask(connection, "GET", "/health/ready")


def _assert_not_ready(service: ServerProcess) -> None:
    with closing(service.connect()) as connection:
        wait_until_not_ready(connection)
