"""Conditional requests (RFC 9110, 13): a change is made only to what the client has seen."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import JSON, Entry, assert_problem, get, header, number, put
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

_PATH = f"/todo/{number(7)}"
_OTHER = number(8)

_CHANGES = [
    pytest.param("PUT", _PATH, b'{"content": "new"}', id="put"),
    pytest.param("PATCH", _PATH, b'{"content": "new"}', id="patch"),
    pytest.param("DELETE", _PATH, None, id="delete"),
    pytest.param("PUT", f"{_PATH}/tags/new", None, id="add tag"),
    pytest.param("DELETE", f"{_PATH}/tags/old", None, id="remove tag"),
]
_every_change = pytest.mark.parametrize(("method", "path", "content"), _CHANGES)


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client of an application without the entry; others may be there."""
    shared_client.delete(_PATH)
    return shared_client


def _fill(client: TestClient) -> Entry:
    put(client, 8, "another one")
    put(client, 7, "older")
    return put(client, 7, "old", tags=["old"])


def _change(
    client: TestClient, method: str, path: str, content: bytes | None, **conditions: str
) -> int:
    fields = {name.replace("_", "-"): value for name, value in conditions.items()}
    headers = {**(JSON if content else {}), **fields}
    return client.request(method, path, content=content, headers=headers).status_code


@_every_change
@pytest.mark.parametrize(
    "form", ['"{now}"', "*", '"0", "{now}"', '"{now}","x"', ' , "x,y",\t"{now}" ,', " * "]
)
def test_a_change_is_made_if_the_entry_is_as_the_client_saw_it(
    client: TestClient, method: str, path: str, content: bytes | None, form: str
) -> None:
    entry = _fill(client)
    value = form.format(now=entry["revision"])

    assert _change(client, method, path, content, If_Match=value) in (200, 204)

    after = client.get(_PATH)
    assert after.status_code == (404 if method == "DELETE" and path == _PATH else 200)
    assert after.json() != entry


@_every_change
@pytest.mark.parametrize(
    "form",
    [
        '"{before}"',
        '"{other}"',
        '"999999"',
        '"0"',
        'W/"{now}"',
        'W/"{now}", "{before}"',
        '"0{now}"',
        '"+{now}"',
        '"-1"',
        '"foreign"',
        '"{now}x"',
        '""',
        '"9999999999999999999999999999"',
    ],
)
def test_a_change_is_refused_if_the_entry_is_another_by_now(
    client: TestClient, method: str, path: str, content: bytes | None, form: str
) -> None:
    entry = _fill(client)
    value = form.format(
        now=entry["revision"],
        before=entry["revision"] - 1,
        other=get(client, _OTHER)["revision"],
    )
    headers = {**(JSON if content else {}), "If-Match": value}

    response = client.request(method, path, content=content, headers=headers)

    assert_problem(response, "todo-entry-changed")
    assert get(client, number(7)) == entry


@_every_change
@pytest.mark.parametrize(
    "value", ["7", '"7', "", ",", "'7'", 'w/"7"', '"7" "8"', '*, "7"', '"a"b"', "W/*", '" 7"']
)
def test_a_malformed_condition_is_refused(
    client: TestClient, method: str, path: str, content: bytes | None, value: str
) -> None:
    entry = _fill(client)
    headers = {**(JSON if content else {}), "If-Match": value}

    response = client.request(method, path, content=content, headers=headers)

    assert_problem(response, "invalid-input", header("If-Match"))
    assert get(client, number(7)) == entry


@_every_change
def test_the_condition_holds_for_each_revision_once(
    client: TestClient, method: str, path: str, content: bytes | None
) -> None:
    entry = _fill(client)
    seen = f'"{entry["revision"]}"'
    assert client.patch(_PATH, json={"notes": "meanwhile"}).status_code == 200

    assert _change(client, method, path, content, If_Match=seen) == 412


@_every_change
def test_two_lines_of_entity_tags_count_like_one(
    client: TestClient, method: str, path: str, content: bytes | None
) -> None:
    entry = _fill(client)
    lines = [("If-Match", '"0"'), ("If-Match", f'"{entry["revision"]}"')]

    response = client.request(
        method, path, content=content, headers=[*(JSON if content else {}).items(), *lines]
    )

    assert response.is_success, response.text


@pytest.mark.parametrize("value", ['"7"', "*"])
def test_an_entry_that_is_not_there_matches_nothing(client: TestClient, value: str) -> None:
    response = client.put(_PATH, json={"content": "x"}, headers={"If-Match": value})

    assert_problem(response, "todo-entry-changed")
    assert client.get(_PATH).status_code == 404


@pytest.mark.parametrize(("method", "path", "content"), _CHANGES[1:])
def test_an_entry_that_is_not_there_is_not_found_whatever_the_condition(
    client: TestClient, method: str, path: str, content: bytes | None
) -> None:
    assert _change(client, method, path, content, If_Match='"7"') == 404


def test_a_new_entry_can_be_kept_from_replacing_one_that_is_there(client: TestClient) -> None:
    wish = {"If-None-Match": "*"}

    created = client.put(_PATH, json={"content": "x"}, headers=wish)
    refused = client.put(_PATH, json={"content": "y"}, headers=wish)

    assert created.status_code == 201
    problem = assert_problem(refused, "todo-entry-exists")
    assert number(7) in problem["detail"]
    assert get(client, number(7))["content"] == "x"


def test_even_the_same_entry_is_refused_if_it_must_be_new(client: TestClient) -> None:
    put(client, 7, "x")

    response = client.put(_PATH, json={"content": "x"}, headers={"If-None-Match": "*"})

    assert_problem(response, "todo-entry-exists")


def test_an_entry_that_was_removed_may_be_made_anew(client: TestClient) -> None:
    put(client, 7, "x")
    client.delete(_PATH)

    response = client.put(_PATH, json={"content": "y"}, headers={"If-None-Match": "*"})

    assert response.status_code == 201


@pytest.mark.parametrize("value", ['"7"', "", "**", "7", 'W/"7"', '*, "7"'])
def test_a_new_entry_knows_no_other_condition_than_anything(
    client: TestClient, value: str
) -> None:
    response = client.put(_PATH, json={"content": "x"}, headers={"If-None-Match": value})

    assert_problem(response, "invalid-input", header("If-None-Match"))
    assert client.get(_PATH).status_code == 404


@pytest.mark.parametrize("there", [True, False])
def test_an_entry_cannot_be_there_and_not_be_there(client: TestClient, there: bool) -> None:
    if there:
        put(client, 7, "x")
    headers = {"If-None-Match": "*", "If-Match": "*"}

    response = client.put(_PATH, json={"content": "y"}, headers=headers)

    assert response.status_code == 412
    assert client.get(_PATH).status_code == (200 if there else 404)


def test_a_conditional_change_that_changes_nothing_keeps_the_entity_tag(
    client: TestClient,
) -> None:
    entry = _fill(client)
    condition = {"If-Match": f'"{entry["revision"]}"'}

    for _ in range(2):
        response = client.patch(_PATH, json={"content": "old"}, headers=condition)
        assert response.status_code == 200
        assert response.json() == entry


def test_invalid_input_is_told_before_any_condition(client: TestClient) -> None:
    _fill(client)

    response = client.patch(_PATH, json={"content": 7}, headers={"If-Match": '"0"'})

    assert response.status_code == 422


def test_a_chain_of_changes_each_made_to_what_the_last_one_answered(client: TestClient) -> None:
    added = client.post("/todo", json={"content": "0"})
    path, tag = added.headers["Location"], added.headers["ETag"]

    for step in range(1, 4):
        response = client.patch(path, json={"content": f"{step}"}, headers={"If-Match": tag})
        assert response.status_code == 200
        tag = response.headers["ETag"]

    assert client.delete(path, headers={"If-Match": tag}).status_code == 204


@pytest.mark.parametrize(("method", "path", "content"), _CHANGES[1:])
def test_a_change_that_must_find_nothing_there_is_refused(
    client: TestClient, method: str, path: str, content: bytes | None
) -> None:
    """RFC 9110, 13.1.2: a false If-None-Match must keep any method from being performed."""
    entry = _fill(client)

    status = _change(client, method, path, content, If_None_Match="*")

    assert status == 412
    assert get(client, number(7)) == entry
