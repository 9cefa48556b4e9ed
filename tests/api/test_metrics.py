"""GET /metrics: what is told over HTTP of what was done over HTTP."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from myapp.domain.errors import StorageUnavailable
from tests.api.answers import assert_problem
from tests.api.applications import (
    FailingTodoEntryRepository,
    build_app_on,
    on_every_storage,
    open_client,
)

Counted = dict[tuple[str, str, str], float]

_REQUESTS = "todo_http_requests_total"


def counted(text: str) -> Counted:
    """Answer how many requests there were, by method, template and status."""
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == _REQUESTS
    }


def value(text: str, name: str) -> float:
    """Answer the only value of a metric that has no labels."""
    (found,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )
    return found


def test_requests_are_counted_under_their_templates(client: TestClient) -> None:
    entry_id = client.post("/todo", json={"content": "buy oat milk"}).json()
    for path in (f"/todo/{entry_id}", "/todo/not-an-id", f"/todo/{entry_id}/changes"):
        client.get(path)

    assert counted(client.get("/metrics").text) == {
        ("POST", "/todo", "201"): 1,
        ("GET", "/todo/{id}", "200"): 1,
        ("GET", "/todo/{id}", "422"): 1,
        ("GET", "/todo/{id}/changes", "200"): 1,
    }


def test_unknown_paths_and_methods_are_counted_together(client: TestClient) -> None:
    for number in range(3):
        client.get(f"/nothing/{number}")
        client.request(f"X{number}", "/todo")

    found = counted(client.get("/metrics").text)

    assert sum(found.values()) == 6
    assert found["GET", "unmatched", "404"] == 3
    assert {method for method, _, _ in found} == {"GET", "other"}


def test_nothing_that_clients_have_sent_is_told(client: TestClient) -> None:
    client.post("/todo", json={"content": "a-secret"}, headers={"Idempotency-Key": "a-secret"})
    client.get("/todo?search=a-secret")
    client.get("/todo/a-secret")
    client.get("/a-secret")

    assert "a-secret" not in client.get("/metrics").text


def test_a_request_is_in_flight_while_it_is_answered(client: TestClient) -> None:
    client.get("/todo")

    assert value(client.get("/metrics").text, "todo_http_requests_in_flight") == 1


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=x", "application/xml"])
def test_text_is_answered(client: TestClient, accept: str) -> None:
    response = client.get("/metrics", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Vary"] == "Accept"


def test_openmetrics_is_answered_to_who_names_it(client: TestClient) -> None:
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert response.headers["Content-Type"].startswith("application/openmetrics-text;")
    assert response.text.endswith("# EOF\n")


def test_head_is_answered_without_content(client: TestClient) -> None:
    response = client.head("/metrics")

    assert response.status_code == 200
    assert response.content == b""


def test_nothing_can_be_sent_there(client: TestClient) -> None:
    assert_problem(client.post("/metrics"), "method-not-allowed")


def test_a_storage_that_fails_is_told_by_what_it_was_asked() -> None:
    repository = FailingTodoEntryRepository(StorageUnavailable("It is gone."))

    with open_client(build_app_on(repository)) as client:
        client.get("/todo")
        text = client.get("/metrics").text

    told = 'todo_storage_operations_total{operation="find",outcome="StorageUnavailable"} 1.0'
    assert told in text.splitlines()


@on_every_storage
def test_every_storage_tells_what_it_holds(client: TestClient) -> None:
    for _ in range(3):
        client.post("/todo", json={"content": "buy oat milk"})

    text = client.get("/metrics").text

    assert value(text, "todo_storage_up") == 1
    assert value(text, "todo_entries") == 3
    assert value(text, "todo_revision") == 3
    assert value(text, "todo_storage_bytes") > 0
    assert value(text, "todo_storage_commit_saves_count") >= 3
