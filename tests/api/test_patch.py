"""PATCH /todo/{id}: a JSON merge patch changes what it names."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import Entry, assert_problem, body, get, number, put
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

MERGE_PATCH = "application/merge-patch+json"

_FULL = {
    "notes": "two litres",
    "tags": ["home"],
    "priority": "high",
    "due": "2026-12-24",
    "done": True,
}
_PATH = f"/todo/{number(7)}"


def _fill(client: TestClient) -> Entry:
    return put(client, 7, "buy oat milk", **_FULL)


@pytest.mark.parametrize(
    "media_type",
    [
        MERGE_PATCH,
        "application/json",
        "application/merge-patch+json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ],
)
def test_a_patch_comes_as_merge_patch_or_simply_as_json(
    client: TestClient, media_type: str
) -> None:
    before = _fill(client)

    response = client.patch(
        _PATH, content=b'{"notes": "three"}', headers={"Content-Type": media_type}
    )

    assert response.status_code == 200, response.text
    after = get(client, number(7))
    assert response.json() == after
    assert after == {**before, "notes": "three", **_stamps(after)}
    assert after["updated_at"] > before["updated_at"]
    assert after["revision"] > before["revision"]


def _stamps(entry: Entry) -> dict[str, object]:
    return {"updated_at": entry["updated_at"], "revision": entry["revision"]}


def test_the_answer_has_the_new_entity_tag(client: TestClient) -> None:
    before = _fill(client)

    response = client.patch(_PATH, json={"content": "y"})

    assert response.headers["ETag"] == client.get(_PATH).headers["ETag"]
    assert response.headers["ETag"] == f'"{response.json()["revision"]}"'
    assert response.json()["revision"] > before["revision"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content", "y"),
        ("notes", "other"),
        ("notes", ""),
        ("tags", ["a", "b"]),
        ("tags", []),
        ("priority", "low"),
        ("due", "2027-01-01T00:00:00Z"),
        ("done", False),
    ],
)
def test_only_the_field_named_changes(client: TestClient, field: str, value: object) -> None:
    before = _fill(client)

    response = client.patch(_PATH, json={field: value})

    after = response.json()
    completed = {"completed_at": None} if field == "done" else {}
    assert after == {**before, field: value, **completed, **_stamps(after)}


@pytest.mark.parametrize(
    ("field", "default"),
    [("notes", ""), ("tags", []), ("priority", "none"), ("due", None), ("done", False)],
)
def test_null_means_the_default(client: TestClient, field: str, default: object) -> None:
    _fill(client)

    response = client.patch(_PATH, json={field: None})

    assert response.status_code == 200
    assert response.json()[field] == default
    assert get(client, number(7)) == response.json()


def test_content_has_no_default(client: TestClient) -> None:
    before = _fill(client)

    response = client.patch(_PATH, json={"content": None, "notes": "lost"})

    assert_problem(response, "invalid-input", body("#/content"))
    assert get(client, number(7)) == before


def test_several_fields_change_together(client: TestClient) -> None:
    before = _fill(client)

    after = client.patch(_PATH, json={"content": "y", "done": None, "tags": ["b", "a"]}).json()

    expected = {"content": "y", "done": False, "completed_at": None, "tags": ["a", "b"]}
    assert after == {**before, **expected, **_stamps(after)}


def test_an_array_is_replaced_as_a_whole(client: TestClient) -> None:
    _fill(client)

    assert client.patch(_PATH, json={"tags": ["only"]}).json()["tags"] == ["only"]


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"content": " buy oat milk "},
        {"done": True},
        {"tags": ["home", "home"]},
        {"due": "2026-12-24", "priority": "high"},
        {"notes": "two litres\r\n"},
    ],
)
def test_a_patch_that_changes_nothing_keeps_revision_tag_and_time(
    client: TestClient, patch: dict[str, object]
) -> None:
    before = _fill(client)
    tag_of_list = client.get("/todo").headers["ETag"]

    response = client.patch(_PATH, json=patch)

    assert response.status_code == 200
    assert response.json() == before
    assert response.headers["ETag"] == f'"{before["revision"]}"'
    assert client.get("/todo").headers["ETag"] == tag_of_list


def test_completing_twice_keeps_the_first_moment_and_reopening_forgets_it(
    client: TestClient,
) -> None:
    put(client, 7, "x")

    first = client.patch(_PATH, json={"done": True}).json()
    second = client.patch(_PATH, json={"done": True, "content": "y"}).json()
    reopened = client.patch(_PATH, json={"done": False}).json()
    third = client.patch(_PATH, json={"done": True}).json()

    assert first["completed_at"] == first["updated_at"]
    assert second["completed_at"] == first["completed_at"] < second["updated_at"]
    assert (reopened["done"], reopened["completed_at"]) == (False, None)
    assert third["completed_at"] > first["completed_at"]


@pytest.mark.parametrize(
    "field", ["id", "created_at", "updated_at", "completed_at", "revision"]
)
@pytest.mark.parametrize("same", [True, False])
def test_what_the_server_sets_is_refused(client: TestClient, field: str, same: bool) -> None:
    before = _fill(client)
    value = dict(before)[field] if same else None

    response = client.patch(_PATH, json={"content": "y", field: value})

    assert_problem(response, "invalid-input", body(f"#/{field}"))
    assert get(client, number(7)) == before


def test_an_entry_that_is_not_there_cannot_be_changed(client: TestClient) -> None:
    assert_problem(client.patch(_PATH, json={"content": "x"}), "todo-entry-not-found")
    assert_problem(client.patch(_PATH, json={}), "todo-entry-not-found")


@pytest.mark.parametrize(
    "media_type",
    ["application/json-patch+json", "text/plain", "application/x-www-form-urlencoded", None],
)
def test_a_patch_of_another_kind_is_refused_with_the_kinds_accepted(
    client: TestClient, media_type: str | None
) -> None:
    before = _fill(client)
    headers = {} if media_type is None else {"Content-Type": media_type}

    response = client.patch(_PATH, content=b'{"content": "y"}', headers=headers)

    problem = assert_problem(response, "unsupported-media-type")
    assert '-H "Content-Type: application/json"' in problem["detail"]
    assert response.headers["Accept-Patch"] == f"{MERGE_PATCH}, application/json"
    assert get(client, number(7)) == before
