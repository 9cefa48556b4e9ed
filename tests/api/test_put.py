"""PUT /todo/{id}: create under an id of the client's choice, or replace."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, body, contents, get, number, put
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

_FULL = {
    "content": "buy oat milk",
    "notes": "two litres",
    "tags": ["home"],
    "priority": "high",
    "due": "2026-12-24",
    "done": True,
}
_DEFAULTS: dict[str, object] = {
    "notes": "",
    "tags": [],
    "priority": "none",
    "due": None,
    "done": False,
}


def test_an_entry_that_was_not_there_is_created(client: TestClient) -> None:
    response = client.put(f"/todo/{number(7)}", json=_FULL)

    assert response.status_code == 201
    assert response.headers["Location"] == f"/todo/{number(7)}"
    entry = get(client, number(7))
    assert response.json() == entry
    assert entry == {**entry, **_FULL, "id": number(7)}
    assert entry["created_at"] == entry["updated_at"] == entry["completed_at"]


def test_an_entry_that_was_there_is_replaced(client: TestClient) -> None:
    before = put(client, 7, "old", tags=["old"])

    response = client.put(f"/todo/{number(7)}", json=_FULL)

    assert response.status_code == 200
    assert "Location" not in response.headers
    entry = get(client, number(7))
    assert response.json() == entry
    assert entry == {**entry, **_FULL}
    assert entry["created_at"] == before["created_at"] < entry["updated_at"]
    assert entry["revision"] > before["revision"]
    assert contents(client.get("/todo")) == ["buy oat milk"]


def test_fields_left_out_take_their_defaults(client: TestClient) -> None:
    client.put(f"/todo/{number(7)}", json=_FULL)

    entry = put(client, 7, "bare")

    assert entry == {**entry, **_DEFAULTS, "content": "bare", "completed_at": None}


def test_the_answer_has_no_entity_tag_since_the_body_was_normalised(
    client: TestClient,
) -> None:
    for _ in range(2):
        response = client.put(f"/todo/{number(7)}", json=_FULL)
        assert response.is_success
        assert "ETag" not in response.headers


def test_repeating_changes_nothing(client: TestClient) -> None:
    first = client.put(f"/todo/{number(7)}", json=_FULL)
    tag = client.get(f"/todo/{number(7)}").headers["ETag"]
    tag_of_list = client.get("/todo").headers["ETag"]

    again = client.put(f"/todo/{number(7)}", json=_FULL)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert client.get(f"/todo/{number(7)}").headers["ETag"] == tag
    assert client.get("/todo").headers["ETag"] == tag_of_list


def test_what_was_read_can_be_put_back_and_changes_nothing(client: TestClient) -> None:
    client.put(f"/todo/{number(7)}", json=_FULL)
    entry = get(client, number(7))

    response = client.put(f"/todo/{number(7)}", json=entry)

    assert response.status_code == 200
    assert response.json() == entry


def test_what_was_read_can_be_edited_and_put_back(client: TestClient) -> None:
    client.put(f"/todo/{number(7)}", json=_FULL)
    entry = get(client, number(7))

    edited = client.put(f"/todo/{number(7)}", json={**entry, "content": "edited"}).json()

    assert edited == {
        **entry,
        "content": "edited",
        "updated_at": edited["updated_at"],
        "revision": edited["revision"],
    }
    assert edited["updated_at"] > entry["updated_at"]


@pytest.mark.parametrize(
    "field", ["id", "created_at", "updated_at", "completed_at", "revision"]
)
@pytest.mark.parametrize("value", [None, "2001-01-01T00:00:00Z", 1, {"a": [True]}, number(8)])
def test_what_the_server_sets_is_ignored(
    shared_client: TestClient, field: str, value: object
) -> None:
    before = put(shared_client, 7, "x", done=True)

    after = put(shared_client, 7, "x", done=True, **{field: value})

    assert after == before
    assert_problem(shared_client.get(f"/todo/{number(8)}"), "todo-entry-not-found")


def test_done_completes_once_and_not_done_reopens(client: TestClient) -> None:
    completed = put(client, 7, "x", done=True)
    edited = put(client, 7, "y", done=True)
    reopened = put(client, 7, "y", done=False)

    assert completed["completed_at"] is not None
    assert edited["completed_at"] == completed["completed_at"]
    assert (reopened["done"], reopened["completed_at"]) == (False, None)


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"notes": None}, {"tags": "home"}])
def test_a_replacement_that_breaks_a_rule_replaces_nothing(
    client: TestClient, wrong: dict[str, object]
) -> None:
    before = put(client, 7, "x")

    response = client.put(f"/todo/{number(7)}", json={"content": "y", **wrong})

    (field,) = wrong
    assert_problem(response, "invalid-input", body(f"#/{field}"))
    assert get(client, number(7)) == before


def test_a_replacement_needs_content(client: TestClient) -> None:
    response = client.put(f"/todo/{number(7)}", json={})

    assert_problem(response, "invalid-input", body("#/content"))
    assert_problem(client.get(f"/todo/{number(7)}"), "todo-entry-not-found")


@pytest.mark.parametrize(
    "entry_id",
    [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "8b122755-530e-43c7-ae84-362c17a37fc5",
    ],
)
def test_an_id_of_any_version_will_do(client: TestClient, entry_id: str) -> None:
    response = client.put(f"/todo/{entry_id}", json={"content": "x"})

    assert response.status_code == 201
    assert get(client, entry_id)["id"] == entry_id
