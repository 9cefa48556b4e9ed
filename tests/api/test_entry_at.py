"""GET /todo/{id}?at=: the entry as it was."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import Entry, assert_problem, get, number, parameter, put
from tests.api.applications import on_every_storage, open_forgetful_client

pytestmark = on_every_storage

_ENTRY = f"/todo/{number(7)}"


def _at(client: TestClient, revision: int) -> Entry | None:
    response = client.get(f"{_ENTRY}?at={revision}")
    if response.status_code == 404:
        assert_problem(response, "todo-entry-not-found")
        return None
    assert response.status_code == 200, response.text
    entry: Entry = response.json()
    return entry


def test_an_entry_is_answered_as_it_was_at_every_revision(client: TestClient) -> None:
    states: list[Entry | None] = [None]
    put(client, 8, "another")
    states.append(None)
    states.append(put(client, 7, "x", tags=["home"], due="2026-12-24"))
    states.append(client.patch(_ENTRY, json={"done": True, "due": None}).json())
    put(client, 8, "another, changed")
    states.append(states[-1])
    client.delete(_ENTRY)
    states.append(None)
    states.append(put(client, 7, "again", notes="a\nb"))

    assert [_at(client, revision) for revision in range(7)] == states


def test_at_the_last_revision_it_is_what_it_is_now(client: TestClient) -> None:
    put(client, 7, "x")
    entry = put(client, 7, "y")

    assert _at(client, 2) == entry == get(client, number(7))


def test_the_entity_tag_is_that_of_the_entry_then(client: TestClient) -> None:
    put(client, 7, "x")
    put(client, 8, "another")
    put(client, 7, "y")

    then = client.get(f"{_ENTRY}?at=2")
    same = client.get(f"{_ENTRY}?at=1", headers={"If-None-Match": then.headers["ETag"]})
    now = client.get(_ENTRY, headers={"If-None-Match": then.headers["ETag"]})

    assert then.headers["ETag"] == '"1"'
    assert then.headers["Cache-Control"] == "no-cache"
    assert same.status_code == 304
    assert now.status_code == 200


def test_an_entry_that_was_never_there_was_not_there_then(client: TestClient) -> None:
    put(client, 8, "another")

    for revision in (0, 1):
        assert _at(client, revision) is None


def test_a_revision_that_is_still_to_come_is_refused(client: TestClient) -> None:
    put(client, 7, "x")

    for revision in (2, 10**18 - 1):
        response = client.get(f"{_ENTRY}?at={revision}")
        assert_problem(response, "invalid-input", parameter("at"))


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_an_empty_query_asks_for_the_entry_as_it_is(client: TestClient, query: str) -> None:
    entry = put(client, 7, "x")

    assert client.get(f"{_ENTRY}?{query}").json() == entry


def test_a_wrong_id_is_told_with_a_wrong_revision(client: TestClient) -> None:
    assert_problem(
        client.get("/todo/7?at=x"), "invalid-input", parameter("id"), parameter("at")
    )


def test_what_is_older_than_what_is_kept_is_gone(storage_url: str) -> None:
    with open_forgetful_client(storage_url, kept=1) as (client, forget):
        for content in "abc":
            put(client, 7, content)

        forget()

        assert_problem(client.get(f"{_ENTRY}?at=1"), "history-forgotten")
        assert [state and state["content"] for state in (_at(client, 2), _at(client, 3))] == [
            "b",
            "c",
        ]
