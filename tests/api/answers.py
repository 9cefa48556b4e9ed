"""What answers hold, and how these tests look at them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NotRequired, TypedDict
from uuid import UUID

from httpx2 import Response
from starlette.testclient import TestClient

JSON = {"Content-Type": "application/json"}

STATUSES = {
    "malformed-request": 400,
    "cross-site-request": 403,
    "not-found": 404,
    "todo-entry-not-found": 404,
    "change-not-found": 404,
    "method-not-allowed": 405,
    "request-timeout": 408,
    "too-many-tags": 409,
    "id-taken": 409,
    "entry-changed-since": 409,
    "history-forgotten": 410,
    "todo-entry-changed": 412,
    "todo-entry-exists": 412,
    "content-too-large": 413,
    "uri-too-long": 414,
    "unsupported-media-type": 415,
    "host-not-allowed": 421,
    "invalid-input": 422,
    "idempotency-key-reused": 422,
    "headers-too-large": 431,
    "internal-error": 500,
    "overloaded": 503,
    "storage-unavailable": 503,
    "stopping": 503,
    "storage-full": 507,
}
"""The status of every type of problem."""

RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

_INTERNALS = re.compile(r"Traceback|pydantic|myapp|\.py\b|<class|object at 0x|None:")

Place = tuple[str, str]


class Entry(TypedDict):
    """A todo entry as it is answered."""

    id: str
    content: str
    notes: str
    tags: list[str]
    priority: str
    due: str | None
    done: bool
    completed_at: str | None
    created_at: str
    updated_at: str
    revision: int


class Change(TypedDict):
    """A change as it is answered."""

    revision: int
    kind: str
    at: str
    id: str
    entry: Entry | None


class Problem(TypedDict):
    """A problem document; `errors` is there for invalid input only."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]]
    operation: NotRequired[int]
    after_change: NotRequired[Entry | None]
    current: NotRequired[Entry | None]


def body(pointer: str) -> Place:
    """A place in the body."""
    return "pointer", pointer


def parameter(name: str) -> Place:
    """A parameter of the path or the query."""
    return "parameter", name


def header(name: str) -> Place:
    """A field of the header."""
    return "header", name


def number(digits: int) -> str:
    """Answer an id of the client's choice; greater numbers sort later."""
    return str(UUID(int=digits))


def put(client: TestClient, digits: int, content: str, **fields: object) -> Entry:
    """Store an entry under the id of a number and answer it."""
    response = client.put(f"/todo/{number(digits)}", json={"content": content, **fields})
    assert response.status_code in (200, 201), response.text
    entry: Entry = response.json()
    return entry


def get(client: TestClient, entry_id: str) -> Entry:
    """Answer the entry as it is stored now."""
    response = client.get(f"/todo/{entry_id}")
    assert response.status_code == 200, response.text
    entry: Entry = response.json()
    return entry


def changes(client: TestClient, path: str = "/todo/changes") -> list[Change]:
    """Answer the changes listed there."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    listed: list[Change] = response.json()
    return listed


def last_change(client: TestClient) -> Change:
    """Answer what happened last."""
    return changes(client, "/todo/changes?limit=1000")[-1]


def contents(response: Response) -> list[str]:
    """Answer the contents of the entries listed, in order."""
    assert response.status_code == 200, response.text
    entries: list[Entry] = response.json()
    return [entry["content"] for entry in entries]


@contextmanager
def unchanged(client: TestClient) -> Iterator[None]:
    """Check that what is stored is the same afterwards, down to the revision."""
    before = _stored(client)
    yield
    assert _stored(client) == before


def _stored(client: TestClient) -> tuple[str, str, str]:
    listed = client.get("/todo?limit=1000")
    tags = client.get("/tags")
    assert (listed.status_code, tags.status_code) == (200, 200)
    return listed.text, listed.headers["ETag"], tags.text


def assert_problem(response: Response, slug: str, *places: Place) -> Problem:
    """Check that the answer is this problem, at exactly these places of the input."""
    problem = assert_any_problem(response)
    assert problem["type"] == f"/problems/{slug}", problem
    assert response.status_code == STATUSES[slug], problem
    found = [place for error in problem.get("errors", []) for place in _places(error)]
    assert sorted(found) == sorted(places), problem
    return problem


def assert_any_problem(response: Response) -> Problem:
    """Check that the answer is a complete problem document that tells no internals."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    assert response.headers["X-Request-Id"]
    problem: Problem = response.json()
    slug = problem["type"].removeprefix("/problems/")
    assert problem["status"] == response.status_code == STATUSES[slug]
    assert problem["title"] and problem["detail"]
    target = response.request.url.raw_path.partition(b"?")[0]
    assert problem["instance"] == target.decode("ascii")
    told = problem["detail"].replace(problem["instance"], "")
    if slug == "invalid-input":
        assert problem["errors"]
        for error in problem["errors"]:
            assert error["detail"] and len(_places(error)) == 1, error
            told = told.replace(_places(error)[0][1], "")  # the client's own words
    else:
        assert "errors" not in problem
    assert not _INTERNALS.search(told), problem
    return problem


def _places(error: dict[str, str]) -> list[Place]:
    return [place for place in error.items() if place[0] != "detail"]
