"""Pages of other sites: they change nothing, and read only what they are let (Fetch, 3.2)."""

from collections.abc import Iterator, Mapping

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, put
from tests.api.applications import (
    FailingTodoEntryRepository,
    build_app,
    build_app_on,
    open_client,
)

APP = "https://app.example"
CHANGES = [
    ("POST", "/todo"),
    ("POST", "/todo/batch"),
    ("POST", "/todo/changes/1/undo"),
    ("PUT", "/todo/0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e"),
    ("PATCH", "/todo/0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e"),
    ("DELETE", "/todo/0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e"),
    ("PUT", "/todo/0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e/tags/a"),
]
FOREIGN: list[Mapping[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://evil.localhost"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]
OWN: list[Mapping[str, str]] = [
    {},
    {"Origin": "http://localhost"},
    {"Origin": "http://LOCALHOST"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Answer a client of an application that pages of APP may use."""
    folder = tmp_path_factory.mktemp("shared")
    app = build_app(f"pickle:///{folder}/todos", cors_origins=(APP, "http://localhost:5173"))
    with open_client(app) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_page_of_another_site_changes_nothing(
    shared_client: TestClient, method: str, path: str
) -> None:
    response = shared_client.request(method, path, headers={"Origin": "https://evil.example"})

    problem = assert_problem(response, "cross-site-request")
    assert "https://evil.example" in problem["detail"]


@pytest.mark.parametrize("headers", FOREIGN)
def test_whatever_tells_of_another_site_is_enough(
    shared_client: TestClient, headers: Mapping[str, str]
) -> None:
    response = shared_client.post("/todo", json={"content": "x"}, headers=headers)

    assert_problem(response, "cross-site-request")


@pytest.mark.parametrize("headers", OWN)
def test_its_own_page_and_what_is_no_browser_may(
    shared_client: TestClient, headers: Mapping[str, str]
) -> None:
    assert shared_client.post("/todo", json={"content": "x"}, headers=headers).is_success


@pytest.mark.parametrize("headers", FOREIGN)
def test_what_changes_nothing_is_answered_and_yet_kept_from_the_page(
    shared_client: TestClient, headers: Mapping[str, str]
) -> None:
    response = shared_client.get("/todo", headers=headers)

    assert response.status_code == 200
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert access_control(response) == {}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_an_origin_that_is_named_may_change_and_read(
    shared: TestClient, site: str
) -> None:
    headers = {"Origin": APP, "Sec-Fetch-Site": site}

    response = shared.post("/todo", json={"content": "x"}, headers=headers)

    assert response.status_code == 201
    assert response.headers["Access-Control-Allow-Origin"] == APP
    exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"ETag", "Location", "Link", "Total-Count", "X-Request-Id", "Retry-After"} <= exposed
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_an_error_can_be_read_too(shared: TestClient) -> None:
    response = shared.get("/nothing", headers={"Origin": APP})

    assert_problem(response, "not-found")
    assert response.headers["Access-Control-Allow-Origin"] == APP


def test_a_page_of_another_origin_than_those_named_may_not(shared: TestClient) -> None:
    headers = {"Origin": "https://app.example.evil.example"}

    assert_problem(shared.delete("/todo/x", headers=headers), "cross-site-request")
    assert access_control(shared.get("/todo", headers=headers)) == {}


def test_a_cache_keeps_answers_to_different_origins_apart(shared: TestClient) -> None:
    for headers in ({}, {"Origin": APP}, {"Origin": "https://evil.example"}):
        assert "Origin" in shared.get("/todo", headers=headers).headers["Vary"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_browser_that_asks_is_told_what_the_page_may(shared: TestClient, method: str) -> None:
    response = shared.options("/todo", headers=preflight(APP, method))

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "if-match", "idempotency-key", "prefer", "last-event-id"} <= set(
        allowed
    )
    assert response.headers["X-Request-Id"]


def test_a_browser_that_asks_for_another_page_is_told_nothing(
    shared: TestClient, shared_client: TestClient
) -> None:
    for client, origin in ((shared, "https://evil.example"), (shared_client, APP)):
        response = client.options("/todo", headers=preflight(origin, "POST"))

        assert_problem(response, "method-not-allowed")
        assert access_control(response) == {}


def test_an_entry_survives_the_pages_of_other_sites(shared_client: TestClient) -> None:
    entry = put(shared_client, 1, "stays")

    shared_client.delete(f"/todo/{entry['id']}", headers={"Origin": "https://evil.example"})

    assert shared_client.get(f"/todo/{entry['id']}").json() == entry


def test_every_answer_tells_browsers_to_keep_other_pages_away() -> None:
    app = build_app_on(FailingTodoEntryRepository(RuntimeError("the wheel came off")))
    with open_client(app) as client:
        answers = [
            client.get("/health/live"),
            client.get("/nothing"),
            client.get("/todo"),
            client.get("/docs"),
            client.get("/docs/swagger-ui/swagger-ui.css"),
            client.get("/openapi.json"),
            client.get("/todo", headers={"Host": "evil.example"}),
        ]

    assert [answer.status_code for answer in answers] == [200, 404, 500, 200, 200, 200, 421]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        (policy,) = answer.headers.get_list("Content-Security-Policy")
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy


def test_only_the_page_of_the_documentation_may_load_anything(
    shared_client: TestClient,
) -> None:
    of_page = shared_client.get("/docs").headers["Content-Security-Policy"]
    of_list = shared_client.get("/todo").headers["Content-Security-Policy"]

    assert "script-src 'self' 'sha256-" in of_page
    assert "connect-src 'self'" in of_page
    assert "unsafe-inline" not in of_page.partition("style-src")[0]
    assert of_list == "default-src 'none'; frame-ancestors 'none'"


def preflight(origin: str, method: str) -> dict[str, str]:
    """Answer the headers by which a browser asks whether a page may ask."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }


def access_control(response: Response) -> dict[str, str]:
    """Answer the headers by which a page would be let in."""
    return {
        name: value
        for name, value in response.headers.items()
        if name.lower().startswith("access-control-")
    }
