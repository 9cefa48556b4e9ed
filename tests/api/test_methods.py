"""Paths and methods: what is not there, what is not taken, and HEAD beside every GET."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, number, put
from tests.api.applications import exchange


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client of an application that other tests have used."""
    return shared_client


_ENTRY = f"/todo/{number(7)}"
_ASSET = "/docs/swagger-ui/swagger-ui.css"

_METHODS = {
    "/": {"GET", "HEAD"},
    "/todo": {"GET", "HEAD", "POST"},
    "/todo/": {"GET", "HEAD", "POST"},
    _ENTRY: {"DELETE", "GET", "HEAD", "PATCH", "PUT"},
    f"{_ENTRY}/tags/a": {"DELETE", "PUT"},
    f"{_ENTRY}/changes": {"GET", "HEAD"},
    "/todo/changes": {"GET", "HEAD"},
    "/todo/changes/1/undo": {"POST"},
    "/todo/batch": {"POST"},
    "/tags": {"GET", "HEAD"},
    "/health/live": {"GET", "HEAD"},
    "/health/ready": {"GET", "HEAD"},
    "/docs": {"GET", "HEAD"},
    "/openapi.json": {"GET", "HEAD"},
    "/problems/not-found": {"GET", "HEAD"},
    _ASSET: {"GET", "HEAD"},
}
_ENDLESS = {"/todo/events": {"GET", "HEAD"}}  # a GET of which no client here would survive
_ALL = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "BREW")


@pytest.mark.parametrize("path", [*_METHODS, *_ENDLESS])
def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_takes(
    client: TestClient, path: str
) -> None:
    put(client, 7, "x")
    taken = (_METHODS | _ENDLESS)[path]
    for method in sorted(set(_ALL) - taken - {"HEAD"}):
        response = client.request(method, path)

        problem = assert_problem(response, "method-not-allowed")
        allowed = response.headers["Allow"].split(", ")
        assert len(allowed) == len(set(allowed))
        assert set(allowed) == taken, (method, path)
        assert method in problem["detail"]


@pytest.mark.parametrize("path", list(_METHODS))
def test_every_method_that_is_told_is_taken(client: TestClient, path: str) -> None:
    for method in sorted(_METHODS[path]):
        assert client.request(method, path).status_code not in (405, 500, 501)


def test_head_is_not_taken_where_there_is_nothing_to_get(client: TestClient) -> None:
    response = client.head(f"{_ENTRY}/tags/a")

    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"DELETE", "PUT"}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/todos",
        "/TODO",
        "/todo//",
        f"{_ENTRY}/",
        f"{_ENTRY}/notes",
        f"{_ENTRY}/changes/",
        "/todo/batch/",
        "/todo/batch/changes",
        "/todo/changes/",
        "/todo/changes/1",
        "/todo/changes/1/undo/",
        "/todo/changes/tags/a",
        "/todo/events/",
        "/todo/events/tags/a",
        f"{_ENTRY}/tags",
        "/todo/a%2Fb",
        "/tags/",
        "/tags/home",
        "/docs/",
        "/health",
        "/health/dead",
        "/openapi.yaml",
        "/problems",
        "/redoc",
        "/favicon.ico",
        "/%20",
        "/%C3%BC",
        "/a%0Ab",
        "/todo%0A",
        "/tags%0A",
        "/docs%0A",
        "/health/live%0A",
        f"{_ENTRY}/changes%0A",
        "/%3Cscript%3E",
        "/{id}",
    ],
)
def test_an_unknown_path_is_a_problem(client: TestClient, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert_problem(client.request(method, path), "not-found")


@pytest.mark.parametrize(
    "path",
    [
        "/docs/swagger-ui/nothing.js",
        "/docs/swagger-ui/",
        "/docs/swagger-ui",
        "/docs/swagger-ui/%2E%2E/%2E%2E/setup.py",
        "/docs/swagger-ui/..%2F..%2Fsetup.py",
        "/docs/swagger-ui/%2Fetc%2Fpasswd",
        "/docs/swagger-ui/%00",
        "/docs/swagger-ui/" + "x" * 300,
        "/docs/swagger-ui/" + "x/" * 3_000,
    ],
)
def test_an_asset_that_is_not_there_is_a_problem(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), "not-found")


@pytest.mark.parametrize(
    "path",
    [
        *(path for path, methods in _METHODS.items() if "GET" in methods),
        "/todo?limit=1",
        "/todo?limit=0",
        "/docs/swagger-ui/swagger-ui-bundle.js",
        f"/todo/{number(9)}",
        "/todo/nonsense",
        "/nothing",
        "/problems/nonsense",
        "/%FF",
    ],
)
def test_head_answers_as_get_without_the_content(client: TestClient, path: str) -> None:
    put(client, 7, "x", tags=["a"])
    put(client, 8, "y")
    headers = {"X-Request-Id": "same", "Prefer": "count=exact"}

    got = client.get(path, headers=headers)
    head = client.head(path, headers=headers)

    assert head.content == b""
    assert head.status_code == got.status_code
    assert dict(head.headers) == dict(got.headers)
    assert head.headers["Content-Length"] == str(len(got.content))


@pytest.mark.parametrize("path", ["/", "/todo", "/docs", "/openapi.json", _ASSET, "/nothing"])
async def test_no_content_leaves_the_application_after_head(app: FastAPI, path: str) -> None:
    """The clients of the other tests drop it themselves, so they would not notice."""
    request = {"type": "http.request", "body": b"", "more_body": False}

    start, *rest = await exchange(app, "HEAD", path, request, headers={})

    assert start["type"] == "http.response.start"
    assert {message.get("body", b"") for message in rest} == {b""}
    assert not rest[-1].get("more_body", False)


def test_head_is_not_modified_where_get_is_not(client: TestClient) -> None:
    put(client, 7, "x")
    for path in (_ENTRY, "/todo"):
        tag = client.head(path).headers["ETag"]

        response = client.head(path, headers={"If-None-Match": tag})

        assert response.status_code == 304
        assert response.headers["ETag"] == tag


def test_head_changes_nothing(client: TestClient) -> None:
    put(client, 7, "x")
    before = client.get("/todo")

    client.head("/todo", headers={"Content-Type": "application/json"})

    assert client.get("/todo").headers["ETag"] == before.headers["ETag"]
