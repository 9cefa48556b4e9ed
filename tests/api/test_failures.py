"""What clients hear when the storage fails, or the service itself does."""

import asyncio
import re

import pytest
from httpx2 import Response

from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Page, TodoQuery
from tests.api.answers import assert_problem, number
from tests.api.applications import (
    FailingTodoEntryRepository,
    build_app_on,
    open_async_client,
    open_client,
)
from tests.realistic_entries import realistic_entries

_ENTRY = f"/todo/{number(7)}"

_READS = [
    pytest.param("GET", "/todo", None, id="list"),
    pytest.param("GET", _ENTRY, None, id="get"),
    pytest.param("GET", f"{_ENTRY}?at=1", None, id="get at"),
    pytest.param("GET", "/todo/changes", None, id="changes"),
    pytest.param("GET", f"{_ENTRY}/changes", None, id="changes of entry"),
    pytest.param("GET", "/tags", None, id="tags"),
    pytest.param("GET", "/health/ready", None, id="ready"),
]
_WRITES = [
    pytest.param("POST", "/todo", {"content": "new"}, id="add"),
    pytest.param("PUT", _ENTRY, {"content": "new"}, id="put"),
    pytest.param("PATCH", _ENTRY, {"content": "new"}, id="patch"),
    pytest.param("DELETE", _ENTRY, None, id="remove"),
    pytest.param(
        "POST", "/todo/batch", {"operations": [{"op": "remove", "id": number(7)}]}, id="batch"
    ),
    pytest.param("POST", "/todo/changes/1/undo", None, id="undo"),
    pytest.param("PUT", f"{_ENTRY}/tags/new", None, id="add tag"),
    pytest.param("DELETE", f"{_ENTRY}/tags/old", None, id="remove tag"),
]
_anything = pytest.mark.parametrize(("method", "path", "content"), [*_READS, *_WRITES])
_any_change = pytest.mark.parametrize(("method", "path", "content"), _WRITES)


def _answer(
    error: Exception,
    method: str,
    path: str,
    content: object,
    entry: TodoEntry | None = None,
) -> Response:
    with open_client(build_app_on(FailingTodoEntryRepository(error, entry))) as client:
        return client.request(method, path, json=content)


def _stored() -> TodoEntry:
    """Answer an entry that every change of the table changes."""
    (entry,) = realistic_entries(1)
    return entry.add_tag("old", at=entry.updated_at)


@_anything
def test_a_storage_that_cannot_answer_now_is_asked_again_later(
    method: str, path: str, content: object
) -> None:
    error = StorageUnavailable("The storage is being moved.", retry_after=7)

    response = _answer(error, method, path, content)

    problem = assert_problem(response, "storage-unavailable")
    assert response.headers["Retry-After"] == "7"
    assert problem["detail"] == "The storage is being moved."


def test_a_key_that_cannot_be_looked_up_keeps_the_request_from_being_done() -> None:
    error = StorageUnavailable("The storage is being moved.")
    repository = FailingTodoEntryRepository(error, _stored())

    with open_client(build_app_on(repository)) as client:
        response = client.post("/todo", json={"content": "x"}, headers={"Idempotency-Key": "7"})

    assert_problem(response, "storage-unavailable")


@_any_change
def test_a_storage_that_cannot_be_written_is_asked_again_later(
    method: str, path: str, content: object
) -> None:
    error = StorageUnavailable("The storage cannot be written now.")

    response = _answer(error, method, path, content, _stored())

    assert_problem(response, "storage-unavailable")
    assert int(response.headers["Retry-After"]) > 0


@_any_change
def test_a_storage_without_space_takes_no_change(
    method: str, path: str, content: object
) -> None:
    error = StorageFull("There is no space left.")

    response = _answer(error, method, path, content, _stored())

    problem = assert_problem(response, "storage-full")
    assert problem["detail"] == "There is no space left."


@_anything
def test_an_unexpected_error_is_answered_without_any_internals(
    method: str, path: str, content: object
) -> None:
    secret = RuntimeError("postgresql://ann:hunter2@db /home/ann/todos.db")

    response = _answer(secret, method, path, content)

    assert_problem(response, "internal-error")
    assert re.fullmatch("[0-9a-f]{16}", response.headers["X-Request-Id"])
    for word in ("postgresql", "hunter2", "ann", "RuntimeError"):
        assert word not in response.text
        assert word not in str(response.headers)


@_anything
def test_a_request_that_memory_runs_out_for_is_told_to_come_back(
    method: str, path: str, content: object
) -> None:
    response = _answer(MemoryError(), method, path, content)

    assert_problem(response, "overloaded")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), OSError(28, "x"), TypeError()]
)
def test_no_error_of_the_storage_is_mistaken_for_one_of_the_client(error: Exception) -> None:
    for method, path, content in (
        ("GET", "/todo", None),
        ("POST", "/todo", {"content": "new"}),
        ("PUT", _ENTRY, {"content": "new"}),
    ):
        assert_problem(_answer(error, method, path, content), "internal-error")


def test_a_failure_ends_one_request_and_not_the_service() -> None:
    with open_client(build_app_on(FailingTodoEntryRepository(RuntimeError()))) as client:
        for _ in range(3):
            assert client.get("/todo").status_code == 500
            assert client.get("/health/live").status_code == 200


def test_a_failure_is_told_to_head_as_well() -> None:
    response = _answer(RuntimeError(), "HEAD", "/todo", None)

    assert response.status_code == 500
    assert response.content == b""
    assert response.headers["Content-Type"] == "application/problem+json"


class _WaitingTodoEntryRepository(FailingTodoEntryRepository):
    """Never answers a search, but tells that it was asked."""

    def __init__(self) -> None:
        super().__init__(RuntimeError())
        self.asked = asyncio.Event()

    async def find(self, query: TodoQuery) -> Page:
        self.asked.set()
        return await asyncio.Future()


async def test_a_request_that_is_cut_short_is_told_to_come_back() -> None:
    repository = _WaitingTodoEntryRepository()

    async with open_async_client(build_app_on(repository)) as http:
        request = asyncio.create_task(http.get("/todo"))
        await repository.asked.wait()
        request.cancel()
        response = await request

    assert_problem(response, "stopping")
    assert int(response.headers["Retry-After"]) > 0
