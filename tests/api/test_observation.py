"""What the log and the metrics are told of requests."""

import logging
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from myapp.infrastructure.api.handled_request import HandledRequest
from tests.api.answers import number, put
from tests.api.applications import (
    FailingTodoEntryRepository,
    build_app,
    build_app_on,
    open_client,
)

_ENTRY = f"/todo/{number(7)}"
_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_SPAN = "00f067aa0ba902b7"


class Observer:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[HandledRequest] = []

    def begin(self) -> None:
        self.begun += 1

    def end(self, request: HandledRequest) -> None:
        self.ended.append(request)


@pytest.fixture
def observer() -> Observer:
    """Answer what is told of requests."""
    return Observer()


@pytest.fixture
def client(storage_url: str, observer: Observer) -> Iterator[TestClient]:
    """Answer a client of an application that is observed, under a prefix."""
    app = build_app(storage_url, api_prefix="/api", observers=[observer])
    with open_client(app) as client:
        client.base_url = client.base_url.join("/api/")
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/todo", 200, "/todo"),
        ("HEAD", "/todo", 200, "/todo"),
        ("GET", "/", 307, "/"),
        ("GET", "/docs/swagger-ui/swagger-ui.css", 200, "/docs/swagger-ui/{file}"),
        ("GET", "/openapi.json", 200, "/openapi.json"),
        ("GET", "/health/live", 200, "/health/live"),
        ("GET", _ENTRY, 404, "/todo/{id}"),
        ("GET", "/todo/nonsense", 422, "/todo/{id}"),
        ("PATCH", "/todo", 405, "/todo"),
        ("POST", "/todo", 415, "/todo"),
        ("GET", "/todo?limit=0", 422, "/todo"),
        ("GET", "/nothing", 404, None),
        ("GET", "/todo/%FF", 400, None),
    ],
)
def test_a_request_is_told_by_the_template_of_its_path(
    client: TestClient,
    observer: Observer,
    method: str,
    path: str,
    status: int,
    route: str | None,
) -> None:
    response = client.request(method, path, headers={"X-Request-Id": "mine-1"})

    assert response.status_code == status
    (told,) = observer.ended
    assert (told.method, told.route, told.status) == (method, route, status)
    assert (told.request_id, told.client) == ("mine-1", "testclient")
    assert told.sent == len(response.content)
    assert observer.begun == 1


def test_an_entry_is_told_by_its_id(client: TestClient, observer: Observer) -> None:
    client.get(_ENTRY)
    client.get("/todo")

    assert [told.entry_id for told in observer.ended] == [str(number(7)), None]


@pytest.mark.parametrize(
    ("path", "beginning"),
    [
        ("/nothing", "/api/nothing"),
        ("/nothing/at/all", "/api/nothing/..."),
        ("/" + "x" * 200, "/api/" + "x" * 95),
    ],
)
def test_of_a_path_without_a_route_the_beginning_is_told(
    client: TestClient, observer: Observer, path: str, beginning: str
) -> None:
    client.get(path)

    (told,) = observer.ended
    assert told.path == beginning


def test_nothing_of_what_entries_are_about_is_told(
    client: TestClient, observer: Observer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "myapp"):
        put(client, 7, "secret", notes="secret", tags=["secret"])
        client.post("/todo", json={"content": "secret", "secret": "secret"})
        client.get("/todo?search=secret&tag=secret")
        client.put(f"{_ENTRY}/tags/secret")
        client.delete(f"{_ENTRY}/tags/secret")
        client.put(f"{_ENTRY}/tags/secret/with-a-slash")
        client.get("/todo/secret")

    assert len(observer.ended) == 7
    assert "secret" not in f"{observer.ended}{caplog.text}"


def test_a_request_without_a_name_is_told_by_the_one_that_it_is_given(
    client: TestClient, observer: Observer
) -> None:
    name = client.get("/todo").headers["X-Request-Id"]

    assert [told.request_id for told in observer.ended] == [name]


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        (f"00-{_TRACE}-{_SPAN}-01", _TRACE),
        (f"00-{_TRACE}-{_SPAN}-00", _TRACE),
        (f"cc-{_TRACE}-{_SPAN}-01", _TRACE),
        (f"cc-{_TRACE}-{_SPAN}-01-what-is-to-come", _TRACE),
        (f"00-{_TRACE}-{_SPAN}-01-what-is-to-come", None),
        (f"cc-{_TRACE}-{_SPAN}-01.", None),
        (f"ff-{_TRACE}-{_SPAN}-01", None),
        (f"00-{_TRACE.upper()}-{_SPAN}-01", None),
        (f"00-{'0' * 32}-{_SPAN}-01", None),
        (f"00-{_TRACE}-{'0' * 16}-01", None),
        (f"00-{_TRACE}-{_SPAN}-1", None),
        (f"00-{_TRACE[1:]}-{_SPAN}-01", None),
        (f"00-{_TRACE}-{_SPAN}", None),
        ("", None),
    ],
)
def test_the_trace_that_a_request_is_part_of_is_told_if_its_header_is_valid(
    client: TestClient, observer: Observer, traceparent: str, trace_id: str | None
) -> None:
    """W3C Trace Context, 3.2.2, and 4.2 of versions to come."""
    client.get("/todo", headers={"traceparent": traceparent})

    assert [told.trace_id for told in observer.ended] == [trace_id]


def test_a_failure_is_told_and_logged(
    observer: Observer, caplog: pytest.LogCaptureFixture
) -> None:
    failing = FailingTodoEntryRepository(RuntimeError("the wheel came off"))

    with open_client(build_app_on(failing, observers=[observer])) as client:
        response = client.get("/todo")

    assert response.status_code == 500
    (told,) = observer.ended
    assert (told.route, told.status) == ("/todo", 500)
    assert told.request_id == response.headers["X-Request-Id"]
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None
    assert "the wheel came off" in str(record.exc_info[1])
