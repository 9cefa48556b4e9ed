"""GET /todo/events: what is told, from where on, to whom, and when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from unittest.mock import AsyncMock, Mock

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myapp.application.change_feed import ChangeFeed
from myapp.domain.errors import StorageUnavailable
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.api import change_schema, event_stream
from myapp.infrastructure.api.event_stream import CHUNK, HEARTBEAT, EventFilter, EventStreams
from myapp.infrastructure.api.problem_types import MALFORMED_REQUEST
from myapp.infrastructure.api.problems import Rejection
from tests.api.answers import Place, assert_problem, header, number, parameter
from tests.api.applications import (
    FailingTodoEntryRepository,
    build_app_on,
    on_every_storage,
    open_client,
)
from tests.contract.entries import NOON, new_entry
from tests.event_source import Event, EventReader
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository

PATIENCE = 60
"""Seconds that anything may take before it is held to have failed."""

_ENTRY = f"/todo/{number(7)}"

Lines = Sequence[tuple[str, str]]


@dataclass
class Stream:
    """A response without end, and its client, which may go away."""

    status: int = 0
    headers: Headers = field(default_factory=Headers)
    chunks: list[bytes] = field(default_factory=list)
    is_complete: bool = False
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _reader: EventReader = field(default_factory=EventReader)
    _events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    async def next(self) -> Event:
        """Answer what is told next."""
        return await asyncio.wait_for(self._events.get(), PATIENCE)

    async def next_change(self) -> Event:
        """Answer the next event that has data."""
        while not (event := await self.next()).data:
            pass
        return event

    def go_away(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def receive(self) -> Message:
        """Answer that the client has gone, once it has, or once it has everything (ASGI)."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take what the application sends."""
        assert not self.is_complete
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], Headers(raw=message["headers"])
            return
        self.chunks.append(message["body"])
        if not message.get("more_body", False):
            self.is_complete = True
            self._gone.set()
        for event in self._reader.feed(message["body"]):
            self._events.put_nowait(event)


@dataclass(frozen=True)
class Service:
    """An application that runs, and what talks to it."""

    http: AsyncClient
    feed: ChangeFeed
    _serve: ASGIApp

    @asynccontextmanager
    async def follow(
        self, query: str = "", *lines: tuple[str, str], method: str = "GET"
    ) -> AsyncIterator[Stream]:
        """Answer a stream, which begins meanwhile, and is over in the end."""
        stream = Stream()
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": "/todo/events",
            "raw_path": b"/todo/events",
            "query_string": query.encode("ascii"),
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines],
        }
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(self._answer(scope, stream))
            yield stream
            stream.go_away()

    async def put(self, content: str = "x", **fields: object) -> None:
        """Write the entry."""
        response = await self.http.put(_ENTRY, json={"content": content, **fields})
        assert response.is_success, response.text

    async def changes(self) -> list[object]:
        """Answer all changes, as /todo/changes has them."""
        changes: list[object] = (await self.http.get("/todo/changes")).json()
        return changes

    async def _answer(self, scope: Scope, stream: Stream) -> None:
        await self._serve(scope, stream.receive, stream.send)
        stream.is_over.set()


@asynccontextmanager
async def running(app: FastAPI, *, heartbeat: float = HEARTBEAT) -> AsyncIterator[Service]:
    """Run the application; its streams' hearts beat after so many seconds."""
    async with app.router.lifespan_context(app) as given:
        state = dict(given or {})
        feed = state["event_streams"].feed
        state["event_streams"] = EventStreams(feed, heartbeat=heartbeat)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = ASGITransport(serve)
        async with AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Service(http, feed, serve)


@pytest.fixture
def repository() -> InMemoryTodoEntryRepository:
    """A repository without entries."""
    return InMemoryTodoEntryRepository()


@pytest.fixture
async def service(repository: TodoEntryRepository) -> AsyncIterator[Service]:
    """A service on that repository."""
    async with running(build_app_on(repository)) as service:
        yield service


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client for requests that are refused, and so have an end."""
    return shared_client


async def test_the_header_says_that_this_is_a_stream_which_nobody_keeps(
    service: Service,
) -> None:
    async with service.follow("", ("X-Request-Id", "mine")) as stream:
        await stream.next()

    assert stream.status == 200
    expected = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-request-id": "mine",
    }
    assert expected.items() <= dict(stream.headers).items()


async def test_a_stream_that_was_refused_before_it_could_begin_ends(service: Service) -> None:
    """Its client may be gone by then, and nobody else would end it."""
    stream = await EventStreams(service.feed).open(None, EventFilter())
    refused, sent = asyncio.Event(), list[Message]()

    async def receive() -> Message:
        refused.set()
        raise Rejection(MALFORMED_REQUEST, "The body is no body.")

    async def send(message: Message) -> None:
        await refused.wait()
        sent.append(message)

    async with asyncio.timeout(PATIENCE):
        await stream({}, receive, send)

    assert sent[-1]["more_body"] is False


async def test_a_stream_tells_first_where_it_begins(service: Service) -> None:
    await service.put("an entry of before")
    async with service.follow() as stream:
        assert await stream.next() == Event("1")
        assert stream.chunks[0].startswith(b":")


async def test_what_happens_from_now_on_is_told(service: Service) -> None:
    await service.put("before")
    async with service.follow() as stream:
        await stream.next()

        await service.put("buy oat milk", notes="on\ntwo lines\u2028or three")

        event = await stream.next()
    assert (event.id, event.type) == ("2", "edited")
    assert json.loads(event.data) == (await service.changes())[1]


@on_every_storage
async def test_every_change_is_told_with_its_revision_and_its_kind(app: FastAPI) -> None:
    async with running(app) as service:
        await service.put("buy oat milk")
        await service.put("buy oat milk", done=True)
        await service.put("buy oat milk")
        await service.put("buy rye bread", tags=["home"])
        await service.http.delete(_ENTRY)
        await service.http.post("/todo/changes/5/undo")

        async with service.follow("since=0") as stream:
            first = await stream.next()
            events = [await stream.next() for _ in range(6)]
        changes = await service.changes()

    assert first == Event("0")
    kinds = ["added", "completed", "reopened", "edited", "removed", "restored"]
    assert [(event.revision, event.type) for event in events] == [*enumerate(kinds, start=1)]
    assert [json.loads(event.data) for event in events] == changes


@pytest.mark.parametrize(
    ("query", "lines", "begin"),
    [
        ("since=2", [], "2"),
        ("", [("Last-Event-ID", "1")], "1"),
        ("since=0", [("Last-Event-ID", "2")], "2"),
        ("since=999999999999999999", [("last-event-id", "2")], "2"),
    ],
)
async def test_a_stream_goes_on_where_the_client_says(
    service: Service, query: str, lines: Lines, begin: str
) -> None:
    for content in ("one", "two", "three"):
        await service.put(content)

    async with service.follow(query, *lines) as stream:
        assert await stream.next() == Event(begin)
        assert (await stream.next()).revision == int(begin) + 1


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("kind=added", [1, 2]),
        ("kind=completed&kind=removed", [3, 5]),
        ("kind=restored", []),
        ("tag=home", [1, 4]),
        ("tag=home&tag=shop", [1, 2, 3, 4, 5]),
        ("tag=Home&tag=new", [4, 6]),
        ("kind=added&tag=shop", [2]),
        ("kind=removed&tag=home", []),
    ],
)
async def test_only_changes_of_these_kinds_with_these_tags_are_told(
    repository: TodoEntryRepository, query: str, told: list[int]
) -> None:
    async with running(build_app_on(repository), heartbeat=0.01) as service:
        http, other = service.http, f"/todo/{number(8)}"
        await service.put(tags=["home"])
        await http.put(other, json={"content": "x", "tags": ["shop"]})
        await http.patch(other, json={"done": True})
        await service.put(tags=["new"])
        await http.delete(other)
        await service.put()

        events = []
        async with service.follow(f"since=0&{query}") as stream:
            while (event := await stream.next()) != Event("6"):
                events += [event.revision] if event.data else []

    assert events == told


async def test_a_client_is_told_now_and_then_how_far_it_has_come(
    repository: TodoEntryRepository,
) -> None:
    async with running(build_app_on(repository), heartbeat=0.01) as service:
        await service.put()
        async with service.follow() as stream:
            assert [await stream.next() for _ in range(3)] == [Event("1")] * 3

            await service.put("y")

            assert (await stream.next_change()).revision == 2
            assert await stream.next() == Event("2")


async def test_a_client_is_told_so_while_all_that_happens_is_nothing_for_it(
    repository: TodoEntryRepository,
) -> None:
    async with running(build_app_on(repository), heartbeat=0.05) as service:
        async with service.follow("kind=removed") as stream:
            assert await stream.next() == Event("0")
            told = asyncio.Event()

            async def write_on() -> None:
                for content in count():
                    await service.put(f"{content}")
                    await asyncio.sleep(0)
                    if told.is_set():
                        break

            async with asyncio.TaskGroup() as group:
                group.create_task(write_on())
                while (event := await stream.next()).revision < 2:
                    assert not event.data
                told.set()


async def test_a_client_is_told_so_once_it_was_told_nothing_for_long_enough(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0
    monkeypatch.setattr(event_stream, "monotonic", lambda: now)
    async with service.follow("kind=added") as stream, service.follow() as of_all:
        told = [await stream.next()]
        await of_all.next()
        for now, path in ((14, 7), (28, 7), (29, 7), (43, 7), (43, 8)):
            await service.http.put(f"/todo/{number(path)}", json={"content": f"at {now}"})
            await of_all.next_change()
            await asyncio.sleep(0)
        told += [await stream.next() for _ in range(3)]

    assert [(event.id, event.type) for event in told] == [
        ("0", ""),
        ("1", "added"),
        ("3", ""),
        ("5", "added"),
    ]


async def test_a_cursor_that_is_too_old_is_reset_once(
    repository: InMemoryTodoEntryRepository, service: Service
) -> None:
    for content in ("one", "two", "three"):
        await service.put(content)
    await repository.forget(keep=1, receipts_before=NOON)

    async with service.follow("since=1") as stream:
        assert await stream.next() == Event("1")
        assert await stream.next() == Event("3", "reset", '{"revision":3}')
        await service.put("four")
        assert (await stream.next()).revision == 4


async def test_what_was_missed_in_mid_stream_is_reset(
    repository: InMemoryTodoEntryRepository, service: Service
) -> None:
    async with service.follow("kind=removed") as stream:
        await stream.next()
        await repository.save(new_entry(), new_entry())  # as another process would
        await repository.forget(keep=0, receipts_before=NOON)

        assert await stream.next() == Event("2", "reset", '{"revision":2}')


async def test_a_client_that_is_ahead_of_a_restored_backup_is_reset(
    repository: InMemoryTodoEntryRepository, service: Service
) -> None:
    await repository.save(new_entry(), new_entry())
    async with service.follow() as stream:
        assert await stream.next() == Event("2")

        InMemoryTodoEntryRepository.__init__(repository)

        assert await stream.next() == Event("0", "reset", '{"revision":0}')


async def test_a_client_that_goes_away_ends_its_stream_at_once(service: Service) -> None:
    async with service.follow() as stream:
        await stream.next()

        stream.go_away()

        await stream.is_over.wait()


async def test_a_stream_ends_with_the_feed(service: Service) -> None:
    async with service.follow() as stream:
        await stream.next()

        service.feed.close()

        await stream.is_over.wait()
        assert stream.is_complete


async def test_a_stream_that_begins_after_the_end_has_an_end(service: Service) -> None:
    service.feed.close()
    async with service.follow() as stream:
        await stream.is_over.wait()

    assert stream.is_complete
    assert await stream.next() == Event("0")


async def test_a_stream_ends_where_the_storage_cannot_tell_how_to_go_on(
    repository: InMemoryTodoEntryRepository,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await repository.save(new_entry())
    async with service.follow() as stream:
        await stream.next()
        error = StorageUnavailable("The storage is being moved.")
        monkeypatch.setattr(service.feed, "revision", AsyncMock(side_effect=error))

        await repository.save(new_entry())
        await repository.forget(keep=0, receipts_before=NOON)

        await stream.is_over.wait()
    assert stream.is_complete


async def test_head_is_answered_at_once(service: Service) -> None:
    async with service.follow(method="HEAD") as stream:
        await stream.is_over.wait()

    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.is_complete
    assert b"".join(stream.chunks) == b""


async def test_the_bytes_of_a_change_are_made_once_for_all_streams(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_json = Mock(side_effect=change_schema.change_json)
    monkeypatch.setattr(event_stream, "change_json", change_json)
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(service.follow()) for _ in range(3)]
        for stream in streams:
            await stream.next()
        for content in ("one", "two"):
            await service.put(content)
            events = [await stream.next_change() for stream in streams]
            assert events == [events[0]] * 3

    assert change_json.call_count == 2


async def test_only_so_many_bytes_are_kept_and_the_others_made_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_json = Mock(side_effect=change_schema.change_json)
    monkeypatch.setattr(event_stream, "change_json", change_json)
    monkeypatch.setattr(event_stream, "EVENTS_KEPT", 1_000)
    for content in range(9):
        await service.put(f"{content}")

    for _ in range(2):
        async with service.follow("since=0") as stream:
            events = [await stream.next_change() for _ in range(9)]
        assert [event.revision for event in events] == [*range(1, 10)]

    assert change_json.call_count == 18


async def test_what_is_sent_at_once_is_little(service: Service) -> None:
    for content in range(20):
        await service.put(f"{content}", notes="牛" * 5_000)

    async with service.follow("since=0") as stream:
        events = [await stream.next_change() for _ in range(20)]

    assert [event.revision for event in events] == [*range(1, 21)]
    assert max(map(len, stream.chunks)) < CHUNK + 16_000


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("since=", parameter("since")),
        ("since=-1", parameter("since")),
        ("since=+1", parameter("since")),
        ("since=01", parameter("since")),
        ("since=1.0", parameter("since")),
        ("since=%201", parameter("since")),
        ("since=%D9%A1", parameter("since")),
        ("since=999999999999999999", parameter("since")),
        ("since=1000000000000000000", parameter("since")),
        ("since=0&since=0", parameter("since")),
        ("kind=", parameter("kind")),
        ("kind=ADDED", parameter("kind")),
        ("kind=reset", parameter("kind")),
        ("kind=added,removed", parameter("kind")),
        ("tag=", parameter("tag")),
        ("tag=a%20b", parameter("tag")),
        ("tag=%00", parameter("tag")),
        ("limit=1", parameter("limit")),
        ("search=x", parameter("search")),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_refused(
    client: TestClient, query: str, place: Place
) -> None:
    assert_problem(client.get(f"/todo/events?{query}"), "invalid-input", place)


@pytest.mark.parametrize(
    "value", ["", "x", "-1", "01", '"1"', "1, 2", "999999999999999999", "1000000000000000000"]
)
def test_a_last_event_id_that_was_never_given_is_refused(
    client: TestClient, value: str
) -> None:
    response = client.get("/todo/events?since=0", headers={"Last-Event-ID": value})

    assert_problem(response, "invalid-input", header("Last-Event-ID"))


def test_more_than_one_last_event_id_is_refused(client: TestClient) -> None:
    lines = [("Last-Event-ID", "0"), ("Last-Event-ID", "0")]

    response = client.get("/todo/events", headers=lines)

    assert_problem(response, "invalid-input", header("Last-Event-ID"))


def test_a_parameter_must_be_right_even_where_the_header_outranks_it(
    client: TestClient,
) -> None:
    response = client.get("/todo/events?since=x", headers={"Last-Event-ID": "0"})

    assert_problem(response, "invalid-input", parameter("since"))


def test_nothing_is_told_by_a_storage_that_cannot_answer_now() -> None:
    error = StorageUnavailable("The storage is being moved.", retry_after=7)
    with open_client(build_app_on(FailingTodoEntryRepository(error))) as client:
        response = client.get("/todo/events")

    assert_problem(response, "storage-unavailable")
    assert response.headers["Retry-After"] == "7"


def test_other_methods_are_refused(client: TestClient) -> None:
    response = client.post("/todo/events", json={})

    assert_problem(response, "method-not-allowed")
    assert response.headers["Allow"] == "GET, HEAD"


def test_the_documentation_shows_a_stream_that_can_be_read(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/todo/events"]["get"]
    (content_type,) = operation["responses"]["200"]["content"]
    example = operation["responses"]["200"]["content"][content_type]["example"]

    heartbeat, event = EventReader().feed(example.encode())

    assert content_type == "text/event-stream"
    assert heartbeat == Event("16")
    assert (event.id, event.type) == ("17", "completed")
    assert json.loads(event.data)["revision"] == 17
