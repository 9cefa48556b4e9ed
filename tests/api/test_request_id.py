"""X-Request-Id: every answer has one, and the log tells of the request under it."""

import logging
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from tests.api.answers import number, put
from tests.api.applications import FailingTodoEntryRepository, build_app_on, open_client

_SOME_OF_EACH = [
    ("GET", "/todo", 200),
    ("GET", "/", 307),
    ("GET", "/docs", 200),
    ("GET", "/docs/swagger-ui/swagger-ui.css", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/%FF", 400),
    ("GET", "/nothing", 404),
    ("GET", f"/todo/{number(7)}", 404),
    ("PATCH", "/todo", 405),
    ("POST", "/todo", 415),
    ("GET", "/todo?limit=0", 422),
    ("HEAD", "/todo", 200),
]


@pytest.mark.parametrize(
    "name",
    ["abc-123", "0", "a.b_c~d+e/f=:@-", "x" * 128, "8b122755-530e-43c7-ae84-362c17a37fc5"],
)
def test_a_sane_name_is_given_back(client: TestClient, name: str) -> None:
    response = client.get("/todo", headers={"X-Request-Id": name})

    assert response.headers.get_list("X-Request-Id") == [name]


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\tb", "a,b", "x" * 129, "a;b", '"a"', "<b>", "%00", "a\\b", "{}"]
)
def test_another_name_is_replaced_by_a_new_one(client: TestClient, name: str) -> None:
    ids = {
        client.get("/todo", headers={"X-Request-Id": name}).headers["X-Request-Id"]
        for _ in range(3)
    }

    assert len(ids) == 3
    assert {str(UUID(request_id)) for request_id in ids} == ids


@pytest.mark.parametrize("name", ["ü", "a\r\nb: c", "a\nb", "a\x00b", "\x1b[31m"])
def test_a_name_that_no_sane_server_lets_through_is_replaced_too(
    client: TestClient, name: str
) -> None:
    response = client.get("/todo", headers=[(b"X-Request-Id", name.encode("utf-8"))])

    assert str(UUID(response.headers["X-Request-Id"])) == response.headers["X-Request-Id"]


def test_requests_without_a_name_get_different_ones(client: TestClient) -> None:
    ids = {client.get("/todo").headers["X-Request-Id"] for _ in range(10)}

    assert len(ids) == 10


@pytest.mark.parametrize(("method", "path", "status"), _SOME_OF_EACH)
def test_the_log_has_a_line_with_the_name_of_the_request(
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    status: int,
) -> None:
    with caplog.at_level(logging.INFO, "myapp"):
        response = client.request(method, path, headers={"X-Request-Id": "mine-1"})

    assert response.status_code == status
    assert response.headers["X-Request-Id"] == "mine-1"
    (line,) = (message for message in caplog.messages if "mine-1" in message)
    for part in (method, path.partition("?")[0], f" {status} "):
        assert part in line


def test_the_log_has_a_name_that_the_server_made_too(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "myapp"):
        name = client.get("/todo").headers["X-Request-Id"]

    assert name in caplog.text


@pytest.mark.parametrize(
    "path", ["/todo/%0Aforged", "/%0D%0Aforged", "/%1B[31m", "/todo?search=%0Aforged"]
)
def test_no_request_can_forge_a_line_of_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.INFO, "myapp"):
        client.get(path)

    assert len(caplog.messages) == 1
    assert caplog.messages[0].isprintable()


def test_the_log_does_not_tell_what_the_entries_are_about(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "myapp"):
        put(client, 7, "secret", notes="secret")
        client.post("/todo", json={"content": "secret", "secret": "secret"})
        client.get("/todo?search=secret")

    assert caplog.messages
    assert "secret" not in caplog.text


def test_a_failure_is_logged_under_the_name_that_the_client_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = build_app_on(FailingTodoEntryRepository(RuntimeError("the wheel came off")))

    with open_client(app) as client, caplog.at_level(logging.INFO, "myapp"):
        response = client.get("/todo")

    assert response.status_code == 500
    name = response.headers["X-Request-Id"]
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert name in record.getMessage()
    assert record.exc_info is not None
    assert "the wheel came off" in str(record.exc_info[1])
    (line,) = (message for message in caplog.messages if message.startswith("GET "))
    assert name in line and " 500 " in line
