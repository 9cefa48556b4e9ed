"""How these tests build applications and talk to them: the one place that knows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import Never
from uuid import UUID

import pytest
from dependency_injector import providers
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from myapp.app import create_app
from myapp.container import ApplicationContainer
from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import ChangePage, TodoHistory
from myapp.infrastructure.api.handled_request import RequestObserver
from myapp.settings import Settings
from tests.storages import STORAGE_URLS

on_every_storage = pytest.mark.parametrize(
    "storage_url_in", STORAGE_URLS, indirect=True, scope="module"
)
"""Marks tests, by default run on the pickle storage, whose answers depend on what is stored."""


def build_app(
    storage_url: str,
    *,
    api_prefix: str = "",
    allowed_hosts: tuple[str, ...] = ("localhost",),
    cors_origins: tuple[str, ...] = (),
    observers: Sequence[RequestObserver] = (),
) -> FastAPI:
    """Answer an application on the storage of this URL, whatever the environment says."""
    settings = Settings(
        storage_url=storage_url,
        storage_dir=None,
        api_prefix=api_prefix,
        allowed_hosts=allowed_hosts,
        cors_origins=cors_origins,
    )
    return create_app(settings, observers=observers)


def build_app_on(
    repository: TodoEntryRepository,
    new_id: Callable[[], UUID] | None = None,
    observers: Sequence[RequestObserver] = (),
) -> FastAPI:
    """Answer an application whose container has this repository in place of a storage.

    What makes ids may be replaced as well.
    """
    settings = Settings(storage_url="pickle:///never-opened", storage_dir=None)
    container = ApplicationContainer(settings=settings)
    container.storage.override(providers.Factory(nullcontext, repository))
    if new_id is not None:
        container.new_id.override(providers.Object(new_id))
    return create_app(settings, container, observers)


def open_client(app: FastAPI) -> TestClient:
    """Answer a client to be entered, which runs the lifespan; it follows no redirects."""
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@contextmanager
def open_forgetful_client(
    storage_url: str, *, kept: int
) -> Iterator[tuple[TestClient, Callable[[], None]]]:
    """Answer a client, as entered, and what makes the application forget.

    It then keeps so many changes.
    """
    settings = Settings(storage_url=storage_url, storage_dir=None, history=kept)
    container = ApplicationContainer(settings=settings)
    with open_client(create_app(settings, container)) as client:
        assert client.portal is not None
        yield client, partial(client.portal.call, container.todo_service().forget)


@asynccontextmanager
async def open_async_client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """Answer a client whose requests run side by side, and whose bodies come in pieces."""
    async with app.router.lifespan_context(app) as state:

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = ASGITransport(serve)
        async with AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


async def exchange(
    app: FastAPI, method: str, path: str, *received: Message, headers: Mapping[str, str]
) -> list[Message]:
    """Answer all that the application sends to a client that no library stands for.

    After the messages received the client neither sends more nor goes away.
    """
    sent: list[Message] = []
    coming = iter(received)

    async def receive() -> Message:
        for message in coming:
            return message
        return await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    async with app.router.lifespan_context(app) as state:
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("ascii"),
            "query_string": b"",
            "headers": [(n.lower().encode(), value.encode()) for n, value in headers.items()],
            "state": dict(state or {}),
        }
        await app(scope, receive, send)
    return sent


class FailingTodoEntryRepository(TodoEntryRepository):
    """Raises the error, whatever it is asked; given an entry, it fails only to save."""

    def __init__(self, error: Exception, entry: TodoEntry | None = None) -> None:
        self._error = error
        self._entry = entry

    @property
    def history(self) -> TodoHistory:
        return _FailingTodoHistory(self._error, self._entry)

    async def get(self, entry_id: UUID) -> TodoEntry:
        return self._entry or self._fail()

    async def find(self, query: TodoQuery) -> Page:
        self._fail()

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        return dict.fromkeys(entry_ids, self._entry or self._fail())

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        self._fail()

    async def receipt(self, key: str) -> Receipt | None:
        self._fail()

    async def tags(self) -> Sequence[TagUse]:
        self._fail()

    async def check(self) -> None:
        self._fail()

    def _fail(self) -> Never:
        raise self._error


class _FailingTodoHistory(TodoHistory):
    """The same of a history, in which the entry was just added."""

    def __init__(self, error: Exception, entry: TodoEntry | None) -> None:
        self._error = error
        self._entry = entry

    async def revision(self) -> int:
        self._fail()

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        self._fail()

    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        added = await self.change(0)
        return ChangePage([added], added.revision)

    async def change(self, revision: int) -> Change:
        return Change(None, self._entry or self._fail())

    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        self._fail()

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        self._fail()

    def _fail(self) -> Never:
        raise self._error
