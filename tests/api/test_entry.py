"""GET and DELETE /todo/{id}: one entry, its tag, and its end."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import (
    assert_problem,
    contents,
    get,
    header,
    number,
    put,
)
from tests.api.applications import on_every_storage

pytestmark = on_every_storage


def test_an_entry_is_answered_with_its_revision_as_entity_tag(client: TestClient) -> None:
    entry = put(client, 1, "x")

    response = client.get(f"/todo/{number(1)}")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["ETag"] == f'"{entry["revision"]}"'
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.json() == entry


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",{},"y"', ",\t{} ,", "*"])
def test_an_entry_that_the_client_has_is_not_sent_again(client: TestClient, form: str) -> None:
    put(client, 1, "x")
    etag = client.get(f"/todo/{number(1)}").headers["ETag"]

    response = client.get(f"/todo/{number(1)}", headers={"If-None-Match": form.format(etag)})

    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["ETag"] == etag
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("value", ['"0"', '"999"', '"x,y"', 'W/"999"', '""', '"01"', "{}1"])
def test_an_entry_is_sent_if_the_client_has_another_one(client: TestClient, value: str) -> None:
    entry = put(client, 1, "x")
    field = value.replace("{}1", f'"{entry["revision"]}1"')

    response = client.get(f"/todo/{number(1)}", headers={"If-None-Match": field})

    assert response.status_code == 200
    assert response.json() == entry


def test_an_entry_is_sent_again_once_it_has_changed(client: TestClient) -> None:
    put(client, 1, "x")
    etag = client.get(f"/todo/{number(1)}").headers["ETag"]
    put(client, 2, "another one")
    assert client.get(f"/todo/{number(1)}", headers={"If-None-Match": etag}).status_code == 304

    put(client, 1, "y")

    assert client.get(f"/todo/{number(1)}", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("value", ["17", '"17', "", "W/17", '"a"b', '"a, "b"', "**"])
def test_a_malformed_list_of_entity_tags_is_refused(client: TestClient, value: str) -> None:
    put(client, 1, "x")

    response = client.get(f"/todo/{number(1)}", headers={"If-None-Match": value})

    assert_problem(response, "invalid-input", header("If-None-Match"))


def test_the_condition_counts_only_for_an_entry_that_is_there(client: TestClient) -> None:
    response = client.get(f"/todo/{number(1)}", headers={"If-None-Match": "*"})

    assert_problem(response, "todo-entry-not-found")


def test_an_entry_that_was_never_stored_is_not_found(client: TestClient) -> None:
    problem = assert_problem(client.get(f"/todo/{number(1)}"), "todo-entry-not-found")

    assert number(1) in problem["detail"]


def test_an_entry_is_removed_once(client: TestClient) -> None:
    put(client, 1, "x")
    put(client, 2, "y")

    removed = client.delete(f"/todo/{number(1)}")

    assert removed.status_code == 204
    assert removed.content == b""
    assert_problem(client.delete(f"/todo/{number(1)}"), "todo-entry-not-found")
    assert_problem(client.get(f"/todo/{number(1)}"), "todo-entry-not-found")
    assert contents(client.get("/todo")) == ["y"]


def test_an_entry_made_again_after_its_removal_has_a_new_revision(client: TestClient) -> None:
    before = put(client, 1, "x")
    assert client.delete(f"/todo/{number(1)}").status_code == 204

    again = client.put(f"/todo/{number(1)}", json={"content": "x"})

    assert again.status_code == 201
    after = get(client, number(1))
    assert after["revision"] > before["revision"] + 1
    assert after["created_at"] > before["created_at"]


def test_a_body_sent_along_is_ignored_where_none_is_expected(client: TestClient) -> None:
    put(client, 1, "x")

    for method, status in (("GET", 200), ("DELETE", 204)):
        response = client.request(method, f"/todo/{number(1)}", content=b"\xff{")
        assert response.status_code == status
