"""Where the time of a request goes: what each layer of the service adds to it.

    python -m benchmarks.layers [ENTRIES]

The service runs in this process on the pickle storage, without an access log; its connection
is handed the bytes of requests by a transport that only takes the answers, so that neither the
system nor a network counts. In turn each layer is replaced by an application that answers at
once with as many bytes: what is left is the cost of all that surrounds it. Microseconds of the
processor, medians of interleaved rounds; one request at a time, so that caches are as warm as
they get.
"""

import asyncio
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from tempfile import TemporaryDirectory
from time import thread_time
from typing import Any
from unittest.mock import patch
from uuid import UUID

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from benchmarks.service import request
from myapp.app import create_app
from myapp.application.todo_service import TodoService
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Page, Position, TodoQuery
from myapp.infrastructure.api.json_route import JsonRoute
from myapp.infrastructure.api.todo_query_schema import ListParameters
from myapp.infrastructure.database.storage import open_storage
from myapp.infrastructure.server.connection import connections
from myapp.settings import Settings
from tests.realistic_entries import realistic_entries

ENTRIES = 20_000
ROUNDS = 100
REQUESTS = 100
"""So many in a round, of each kind."""

PAGE = 50


class Taker(asyncio.Transport):
    """A transport whose client reads whatever it is sent, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""
        self.taken += len(data)

    def is_closing(self) -> bool:
        """It never is."""
        return False


class Client:
    """A connection, as the server makes them for the application."""

    def __init__(self, app: FastAPI, settings: Settings, state: dict[str, Any]) -> None:
        made = connections(settings.connection_options, lambda _limit: None)
        config = uvicorn.Config(app, http=made, ws="none", log_config=None, proxy_headers=False)
        config.load()
        self._server = ServerState()
        self._taker = Taker()
        self._connection = made(config, self._server, state)
        self._connection.connection_made(self._taker)

    async def ask(self, head: bytes) -> int:
        """Answer how many bytes the answer has."""
        asked, taken = self._server.total_requests, self._taker.taken
        self._connection.data_received(head)
        while self._server.total_requests == asked:
            await asyncio.sleep(0)
        return self._taker.taken - taken


class Constant:
    """An application that always answers the same, in place of all within a layer."""

    def __init__(self, size: int) -> None:
        self._body = bytes(size)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer at once."""
        length = b"%d" % len(self._body)
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


class Remembered:
    """Has asked the service once, and answers the same again."""

    def __init__(self, service: TodoService) -> None:
        self._service = service
        self._entry: TodoEntry | None = None
        self._page: Page | None = None

    async def get_entry(self, entry_id: UUID, *, at: int | None = None) -> TodoEntry:
        """Answer the first entry that was asked for."""
        if self._entry is None:
            self._entry = await self._service.get_entry(entry_id, at=at)
        return self._entry

    async def find_entries(self, query: TodoQuery) -> Page:
        """Answer the first page that was asked for."""
        if self._page is None:
            self._page = await self._service.find_entries(query)
        return self._page


Cut = AbstractContextManager[object]


def cuts(app: FastAPI, state: dict[str, Any], size: int) -> Iterator[tuple[str, Cut]]:
    """Answer the layers from the outside to the inside, and how to go no further than each."""
    yield "connection, event loop", patch.object(app, "middleware_stack", Constant(size))

    async def respond(_route: JsonRoute, _scope: Scope, _receive: Receive) -> Response:
        return Response(bytes(size), media_type="application/json")

    yield "Edge", patch.object(JsonRoute, "respond", respond)
    remembered = Remembered(state["todo_service"])
    yield "JsonRoute, controller", patch.dict(state, {"todo_service": remembered})
    yield "TodoService, storage", nullcontext()


async def measure(entries: int) -> None:
    """Print what each layer adds to a request of each kind."""
    with TemporaryDirectory() as folder:
        settings = Settings(storage_url=f"pickle:///{folder}/todos", access_log=False)
        todos = list(realistic_entries(entries))
        async with open_storage(settings.storage) as repository:
            for start in range(0, entries, 1_000):
                await repository.save(*todos[start : start + 1_000])
        app = create_app(settings)
        async with app.router.lifespan_context(app) as found:
            state: dict[str, Any] = dict(found or {})
            client = Client(app, settings, state)
            # Drawn to be asked for, and nothing depends on nobody foretelling them.
            chosen = random.Random(1).choices(todos, k=REQUESTS)  # nosec B311
            kinds = {
                "get one": [request("GET", f"/todo/{todo.id}") for todo in chosen],
                f"page of {PAGE}": [request("GET", _page(todo)) for todo in chosen],
            }
            columns = [await _column(app, state, client, kinds[kind]) for kind in kinds]
    _print(list(kinds), columns)


def _page(todo: TodoEntry) -> str:
    """Answer the path of a page from an entry on."""
    parameters = ListParameters.model_validate({"limit": str(PAGE)})
    cursor = parameters.cursor_at(Position(todo.created_at, todo.id))
    return f"/todo?limit={PAGE}&cursor={cursor}"


async def _column(
    app: FastAPI, state: dict[str, Any], client: Client, heads: Sequence[bytes]
) -> dict[str, float]:
    """Answer the microseconds of a request up to each layer, by the name of the layer."""
    size = await client.ask(heads[0])
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, cut in cuts(app, state, size):
            with cut:
                await client.ask(heads[0])
                begin = thread_time()
                for head in heads:
                    await client.ask(head)
                seconds = thread_time() - begin
            taken.setdefault(name, []).append(seconds / len(heads) * 1e6)
    return {name: median(rounds) for name, rounds in taken.items()}


def _print(kinds: Sequence[str], columns: Sequence[dict[str, float]]) -> None:
    print("|", " | ".join(["layer", *kinds]), "|")
    print("|---" * (len(kinds) + 1) + "|")
    before = [0.0] * len(columns)
    for name in columns[0]:
        reached = [column[name] for column in columns]
        added = [f"{now - then:.0f}" for now, then in zip(reached, before, strict=True)]
        print("|", " | ".join([name, *added]), "|")
        before = reached
    print("|", " | ".join(["all", *(f"{total:.0f}" for total in before)]), "|")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES))
