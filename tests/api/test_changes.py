"""GET /todo/changes and /todo/{id}/changes: what has happened, told once and in order."""

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.api.answers import (
    RFC_3339_UTC,
    Change,
    Entry,
    assert_problem,
    changes,
    get,
    header,
    last_change,
    number,
    parameter,
    put,
)
from tests.api.applications import on_every_storage, open_forgetful_client

pytestmark = on_every_storage

_ENTRY = f"/todo/{number(7)}"
_OTHER = f"/todo/{number(8)}"
_FEEDS = ["/todo/changes", f"{_ENTRY}/changes"]
_each_feed = pytest.mark.parametrize("feed", _FEEDS)


def _next(response: Response) -> str:
    url: str = response.links["next"]["url"]
    return url


def _revision(response: Response) -> int:
    return int(response.headers["ETag"].strip('"'))


def _live_a_life(client: TestClient) -> None:
    """Let an entry become all that it can become, in seven changes, one of another's."""
    put(client, 7, "x")
    client.patch(_ENTRY, json={"content": "y"})
    client.put(f"{_ENTRY}/tags/home")
    put(client, 8, "another")
    client.patch(_ENTRY, json={"done": True, "notes": "at last"})
    client.patch(_ENTRY, json={"done": False, "priority": "high"})
    client.delete(_ENTRY)
    put(client, 7, "again", done=True)


_LIFE = [
    ("added", "x"),
    ("edited", "y"),
    ("edited", "y"),
    ("added", "another"),
    ("completed", "y"),
    ("reopened", "y"),
    ("removed", None),
    ("restored", "again"),
]


def _told(listed: list[Change]) -> list[tuple[str, str | None]]:
    return [
        (change["kind"], change["entry"] and change["entry"]["content"]) for change in listed
    ]


def test_a_new_storage_has_no_changes(client: TestClient) -> None:
    response = client.get("/todo/changes")

    assert response.status_code == 200
    assert response.text == "[]"
    assert response.headers["ETag"] == '"0"'
    assert _next(response) == "/todo/changes?since=0"


def test_what_happens_is_told_with_its_most_telling_effect(client: TestClient) -> None:
    _live_a_life(client)

    assert _told(changes(client)) == _LIFE


def test_a_change_holds_the_entry_as_it_is_after_it(client: TestClient) -> None:
    entry = put(client, 7, "x", tags=["home"], due="2026-12-24")

    (change,) = changes(client)

    assert change == {
        "revision": entry["revision"],
        "kind": "added",
        "at": entry["updated_at"],
        "id": number(7),
        "entry": entry,
    }


def test_a_removal_does_not_show_the_entry(client: TestClient) -> None:
    put(client, 7, "x")
    client.delete(_ENTRY)

    change = last_change(client)

    assert list(change) == ["revision", "kind", "at", "id", "entry"]
    assert (change["kind"], change["id"], change["entry"]) == ("removed", number(7), None)
    assert RFC_3339_UTC.fullmatch(change["at"])


def test_revisions_grow_from_change_to_change(client: TestClient) -> None:
    _live_a_life(client)

    revisions = [change["revision"] for change in changes(client)]

    assert revisions == sorted(set(revisions))
    assert client.get("/todo").headers["ETag"] == f'"{revisions[-1]}"'


def test_what_changes_nothing_is_not_told(client: TestClient) -> None:
    put(client, 7, "x", tags=["home"])

    put(client, 7, "x", tags=["home"])
    client.patch(_ENTRY, json={"content": " x "})
    client.put(f"{_ENTRY}/tags/home")
    client.delete(f"{_ENTRY}/tags/work")

    assert _told(changes(client)) == [("added", "x")]


def test_only_what_comes_after_the_revision_is_told(client: TestClient) -> None:
    _live_a_life(client)
    everything = changes(client)

    for index, change in enumerate(everything):
        since = changes(client, f"/todo/changes?since={change['revision']}")
        assert since == everything[index + 1 :]


@_each_feed
def test_following_the_links_tells_everything_once(client: TestClient, feed: str) -> None:
    _live_a_life(client)
    everything = changes(client, feed)
    path, told = f"{feed}?limit=2", []

    while page := (response := client.get(path)).json():
        assert len(page) <= 2
        told += page
        path = _next(response)

    assert told == everything


@_each_feed
def test_the_link_at_the_end_leads_to_what_comes_later(client: TestClient, feed: str) -> None:
    put(client, 7, "x")
    path = _next(client.get(feed))
    assert changes(client, path) == []

    client.patch(_ENTRY, json={"content": "y"})

    assert _told(changes(client, path)) == [("edited", "y")]


@_each_feed
def test_the_link_keeps_the_limit(client: TestClient, feed: str) -> None:
    put(client, 7, "x")

    link = _next(client.get(f"{feed}?limit=5&since=0"))

    assert link == f"{feed}?limit=5&since=1"


def test_following_from_the_list_gives_the_list_at_any_later_time(client: TestClient) -> None:
    put(client, 7, "x")
    put(client, 9, "z")
    listed = client.get("/todo")
    state: dict[str, Entry] = {entry["id"]: entry for entry in listed.json()}
    _live_a_life(client)
    client.delete(f"/todo/{number(9)}")

    for change in changes(client, f"/todo/changes?since={_revision(listed)}"):
        state.pop(change["id"], None)
        if change["entry"] is not None:
            state[change["id"]] = change["entry"]

    entries: list[Entry] = client.get("/todo").json()
    assert state == {entry["id"]: entry for entry in entries}


@_each_feed
def test_a_client_that_is_up_to_date_hears_so(client: TestClient, feed: str) -> None:
    put(client, 7, "x")
    first = client.get(feed)
    seen = {"If-None-Match": first.headers["ETag"]}

    unchanged = client.get(feed, headers=seen)
    client.delete(_ENTRY)
    changed = client.get(feed, headers=seen)

    assert unchanged.status_code == 304
    assert unchanged.content == b""
    for field in ("ETag", "Link", "Cache-Control"):
        assert unchanged.headers[field] == first.headers[field]
    assert unchanged.headers["Cache-Control"] == "no-cache"
    assert changed.status_code == 200
    assert changed.headers["ETag"] == ('"2"' if feed == "/todo/changes" else '"1-2"')


@_each_feed
def test_a_malformed_condition_is_refused(client: TestClient, feed: str) -> None:
    put(client, 7, "x")

    response = client.get(feed, headers={"If-None-Match": "7"})

    assert_problem(response, "invalid-input", header("If-None-Match"))


@_each_feed
def test_a_revision_that_is_still_to_come_is_refused(client: TestClient, feed: str) -> None:
    put(client, 7, "x")

    for since in (2, 10**18 - 1):
        response = client.get(f"{feed}?since={since}")
        assert_problem(response, "invalid-input", parameter("since"))


@_each_feed
@pytest.mark.parametrize(
    ("limit", "count"), [("", 100), ("limit=1", 1), ("limit=99", 99), ("limit=1000", 101)]
)
def test_as_many_changes_are_told_as_asked_for_or_a_hundred(
    client: TestClient, feed: str, limit: str, count: int
) -> None:
    operations = [
        {"op": "put", "id": number(7), "entry": {"content": "x"}},
        *({"op": "create", "entry": {"content": "x"}} for _ in range(100)),
    ]
    if feed == "/todo/changes":
        client.post("/todo/batch", json={"operations": operations}).raise_for_status()
    else:
        for step in range(101):
            put(client, 7, f"{step}")

    assert len(changes(client, f"{feed}?{limit}")) == count


def test_the_changes_of_an_entry_are_its_own(client: TestClient) -> None:
    _live_a_life(client)
    everything = changes(client)

    for digits in (7, 8):
        own = [change for change in everything if change["id"] == number(digits)]
        assert changes(client, f"/todo/{number(digits)}/changes") == own
        later = changes(client, f"/todo/{number(digits)}/changes?since=3")
        assert later == [change for change in own if change["revision"] > 3]


def test_an_entry_that_was_removed_has_its_history_still(client: TestClient) -> None:
    put(client, 7, "x")
    client.delete(_ENTRY)

    listed = changes(client, f"{_ENTRY}/changes")

    assert _told(listed) == [("added", "x"), ("removed", None)]
    assert client.get(_ENTRY).status_code == 404


@pytest.mark.parametrize("query", ["", "?since=0", "?since=1&limit=5"])
def test_what_was_never_there_has_no_history(client: TestClient, query: str) -> None:
    put(client, 7, "x")

    response = client.get(f"{_OTHER}/changes{query}")

    problem = assert_problem(response, "todo-entry-not-found")
    assert number(8) in problem["detail"]


def test_what_is_older_than_what_is_kept_is_gone(storage_url: str) -> None:
    with open_forgetful_client(storage_url, kept=2) as (client, forget):
        _live_a_life(client)
        everything = changes(client)

        forget()

        for path in ("/todo/changes", "/todo/changes?since=5", f"{_ENTRY}/changes?since=5"):
            problem = assert_problem(client.get(path), "history-forgotten")
            assert "GET /todo" in client.get(problem["type"]).text
        assert changes(client, "/todo/changes?since=6") == everything[6:]


def test_the_history_of_an_entry_begins_with_the_oldest_change_that_is_kept(
    storage_url: str,
) -> None:
    with open_forgetful_client(storage_url, kept=2) as (client, forget):
        _live_a_life(client)

        forget()

        assert _told(changes(client, f"{_ENTRY}/changes")) == _LIFE[6:]
        assert changes(client, f"{_OTHER}/changes") == []


def test_a_history_that_begins_later_is_another_one(storage_url: str) -> None:
    with open_forgetful_client(storage_url, kept=2) as (client, forget):
        _live_a_life(client)
        before = client.get(f"{_ENTRY}/changes")

        forget()

        seen = {"If-None-Match": before.headers["ETag"]}
        after = client.get(f"{_ENTRY}/changes", headers=seen)
        assert after.status_code == 200
        assert after.json() != before.json()
        seen = {"If-None-Match": after.headers["ETag"]}
        assert client.get(f"{_ENTRY}/changes", headers=seen).status_code == 304


def test_what_was_removed_is_not_found_once_its_history_is_forgotten(storage_url: str) -> None:
    with open_forgetful_client(storage_url, kept=1) as (client, forget):
        put(client, 7, "x")
        client.delete(_ENTRY)
        put(client, 8, "another")

        forget()

        assert_problem(client.get(f"{_ENTRY}/changes"), "todo-entry-not-found")
        assert get(client, number(8))["content"] == "another"


def test_with_all_forgotten_following_goes_on_from_the_list(storage_url: str) -> None:
    with open_forgetful_client(storage_url, kept=0) as (client, forget):
        _live_a_life(client)
        forget()

        revision = _revision(client.get("/todo"))
        assert changes(client, f"/todo/changes?since={revision}") == []
        put(client, 9, "new")
        assert _told(changes(client, f"/todo/changes?since={revision}")) == [("added", "new")]
