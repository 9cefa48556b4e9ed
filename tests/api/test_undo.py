"""POST /todo/changes/{revision}/undo: a mistake is taken back."""

import asyncio
from collections import Counter

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.answers import (
    JSON,
    Change,
    assert_problem,
    changes,
    get,
    last_change,
    number,
    put,
    unchanged,
)
from tests.api.applications import (
    on_every_storage,
    open_async_client,
    open_forgetful_client,
)

pytestmark = on_every_storage

_ENTRY = f"/todo/{number(7)}"


def _undo(client: TestClient, revision: int) -> Change:
    response = client.post(f"/todo/changes/{revision}/undo")
    assert response.status_code == 200, response.text
    change: Change = response.json()
    return change


def _undo_last(client: TestClient) -> Change:
    return _undo(client, last_change(client)["revision"])


_OWN = ("revision", "updated_at")


def _fields(client: TestClient) -> dict[str, object] | None:
    """Answer what the entry is but for when and how often it was changed, None if removed."""
    response = client.get(_ENTRY)
    if response.status_code == 404:
        return None
    return {name: value for name, value in response.json().items() if name not in _OWN}


_CHANGES = [
    pytest.param("PUT", _ENTRY, {"content": "new"}, "edited", id="put"),
    pytest.param("PATCH", _ENTRY, {"notes": "", "due": None}, "edited", id="edited"),
    pytest.param("PATCH", _ENTRY, {"done": True}, "reopened", id="completed"),
    pytest.param("PUT", f"{_ENTRY}/tags/new", None, "edited", id="tagged"),
    pytest.param("DELETE", f"{_ENTRY}/tags/home", None, "edited", id="untagged"),
    pytest.param("DELETE", _ENTRY, None, "restored", id="removed"),
]
_each_change = pytest.mark.parametrize(("method", "path", "content", "kind"), _CHANGES)


def _fill(client: TestClient) -> None:
    put(client, 8, "another")
    put(client, 7, "old", notes="a\nb", tags=["home", "shop"], due="2026-12-24")


@_each_change
def test_the_entry_is_again_what_it_was_before(
    client: TestClient, method: str, path: str, content: object, kind: str
) -> None:
    _fill(client)
    before = _fields(client)
    assert client.request(method, path, json=content).is_success
    assert _fields(client) != before

    change = _undo_last(client)

    assert _fields(client) == before
    assert change["kind"] == kind
    assert change["entry"] == get(client, number(7))


@_each_change
def test_an_undo_can_be_undone(
    client: TestClient, method: str, path: str, content: object, kind: str
) -> None:
    _fill(client)
    before = _fields(client)
    client.request(method, path, json=content)
    after = _fields(client)

    _undo_last(client)
    _undo_last(client)
    assert _fields(client) == after

    assert _undo_last(client)["kind"] == kind
    assert _fields(client) == before


def test_undoing_a_creation_removes_the_entry(client: TestClient) -> None:
    put(client, 7, "x")

    change = _undo_last(client)

    assert (change["kind"], change["entry"], change["id"]) == ("removed", None, number(7))
    assert client.get(_ENTRY).status_code == 404


def test_undoing_a_restoration_removes_the_entry(client: TestClient) -> None:
    put(client, 7, "x")
    client.delete(_ENTRY)
    put(client, 7, "y")

    assert _undo_last(client)["kind"] == "removed"
    assert client.get(_ENTRY).status_code == 404


def test_undoing_a_removal_brings_back_when_it_was_created_and_completed(
    client: TestClient,
) -> None:
    entry = put(client, 7, "x", done=True)
    client.delete(_ENTRY)

    _undo_last(client)

    restored = get(client, number(7))
    assert restored["created_at"] == entry["created_at"]
    assert restored["completed_at"] == entry["completed_at"]


def test_an_undo_is_a_new_change_like_any_other(client: TestClient) -> None:
    put(client, 7, "x")
    put(client, 7, "y")
    before = last_change(client)

    change = _undo_last(client)

    assert last_change(client) == change
    assert change["revision"] == before["revision"] + 1
    assert change["at"] >= before["at"]
    assert client.get(_ENTRY).headers["ETag"] == f'"{change["revision"]}"'
    assert len(changes(client)) == 3


def test_a_change_is_undone_whatever_has_happened_to_other_entries(client: TestClient) -> None:
    put(client, 7, "x")
    revision = put(client, 7, "y")["revision"]
    put(client, 8, "another")
    client.delete(f"/todo/{number(8)}")

    _undo(client, revision)

    assert get(client, number(7))["content"] == "x"
    assert client.get(f"/todo/{number(8)}").status_code == 404


def test_one_change_of_a_batch_can_be_undone(client: TestClient) -> None:
    operations = [
        {"op": "create", "id": number(digits), "entry": {"content": f"{digits}"}}
        for digits in (7, 8)
    ]
    first, _ = client.post("/todo/batch", json={"operations": operations}).json()

    _undo(client, first["revision"])

    assert client.get(_ENTRY).status_code == 404
    assert get(client, number(8))["content"] == "8"


def test_an_entry_that_was_changed_again_keeps_its_state(client: TestClient) -> None:
    after = put(client, 7, "x", due="2026-12-24")
    current = put(client, 7, "y")

    with unchanged(client):
        response = client.post(f"/todo/changes/{after['revision']}/undo")

    problem = assert_problem(response, "entry-changed-since")
    assert problem["after_change"] == after
    assert problem["current"] == current
    assert number(7) in problem["detail"]


def test_of_an_entry_that_was_removed_since_only_the_former_state_is_told(
    client: TestClient,
) -> None:
    after = put(client, 7, "x")
    client.delete(_ENTRY)

    response = client.post(f"/todo/changes/{after['revision']}/undo")

    problem = assert_problem(response, "entry-changed-since")
    assert problem["after_change"] == after
    assert "current" in problem and problem["current"] is None


def test_of_a_removal_that_was_followed_by_a_restoration_only_the_current_state_is_told(
    client: TestClient,
) -> None:
    put(client, 7, "x")
    client.delete(_ENTRY)
    removal = last_change(client)["revision"]
    current = put(client, 7, "y")

    response = client.post(f"/todo/changes/{removal}/undo")

    problem = assert_problem(response, "entry-changed-since")
    assert "after_change" in problem and problem["after_change"] is None
    assert problem["current"] == current


def test_a_change_is_undone_once(client: TestClient) -> None:
    put(client, 7, "x")
    revision = put(client, 7, "y")["revision"]
    _undo(client, revision)

    response = client.post(f"/todo/changes/{revision}/undo")

    assert_problem(response, "entry-changed-since")
    assert get(client, number(7))["content"] == "x"


async def test_of_a_hundred_undoings_of_a_change_one_is_done(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        for content in ("x", "y"):
            await http.put(_ENTRY, json={"content": content})

        answers = await asyncio.gather(*(http.post("/todo/changes/2/undo") for _ in range(100)))

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 1, 409: 99}
        assert (await http.get(_ENTRY)).json()["content"] == "x"


@pytest.mark.parametrize("revision", [2, 10**18 - 1])
def test_what_was_never_changed_is_not_found(client: TestClient, revision: int) -> None:
    put(client, 7, "x")

    with unchanged(client):
        response = client.post(f"/todo/changes/{revision}/undo")

    problem = assert_problem(response, "change-not-found")
    assert f"{revision}" in problem["detail"]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {}),
        (b"", {"Content-Type": "text/plain"}),
        (b"{}", JSON),
        (b"{", JSON),
        (b"\xff", {"Content-Type": "image/png"}),
        (b"x" * 2_000_000, JSON),
    ],
)
def test_no_body_is_needed_or_read(
    client: TestClient, content: bytes, headers: dict[str, str]
) -> None:
    put(client, 7, "x")

    response = client.post("/todo/changes/1/undo", content=content, headers=headers)

    assert response.status_code == 200
    assert client.get(_ENTRY).status_code == 404


def test_a_change_that_is_not_kept_cannot_be_undone(storage_url: str) -> None:
    with open_forgetful_client(storage_url, kept=1) as (client, forget):
        for content in "abc":
            put(client, 7, content)

        forget()

        for revision in (1, 2):
            response = client.post(f"/todo/changes/{revision}/undo")
            assert_problem(response, "history-forgotten")
        _undo(client, 3)
        assert get(client, number(7))["content"] == "b"
