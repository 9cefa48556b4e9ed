"""GET /todo: which entries are listed, in which order, and what the header fields say."""

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.api.answers import (
    Entry,
    assert_problem,
    contents,
    get,
    header,
    number,
    put,
)
from tests.api.applications import on_every_storage

pytestmark = on_every_storage


def _fill(client: TestClient) -> None:
    put(client, 3, "Buy oat milk", tags=["home", "shop"], priority="high", due="2026-12-24")
    put(client, 1, "Straße fegen", tags=["home"], due="2026-12-24T23:59:59Z", done=True)
    put(client, 4, "call Zoë", notes="about the\nOATMEAL", priority="low", due="2026-12-25")
    put(client, 2, "aardvark", tags=["Home", "Büro"], priority="medium", done=True)


def test_a_new_storage_lists_nothing(client: TestClient) -> None:
    response = client.get("/todo")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.text == "[]"


def test_entries_are_listed_as_they_are_stored(client: TestClient) -> None:
    _fill(client)

    listed: list[Entry] = client.get("/todo").json()

    assert listed == [get(client, number(digits)) for digits in (3, 1, 4, 2)]


@pytest.mark.parametrize("query", ["", "?limit=2&sort=-content", "?limit=0", "?nonsense=1"])
def test_todo_with_and_without_a_slash_at_its_end_are_the_same(
    client: TestClient, query: str
) -> None:
    _fill(client)

    without = client.get(f"/todo{query}")
    with_slash = client.get(f"/todo/{query}")

    assert without.status_code == with_slash.status_code != 307
    assert _comparable(without) == _comparable(with_slash)


def _comparable(response: Response) -> tuple[str, dict[str, str]]:
    """Answer the content and the header fields that do not name request or path."""
    own = ("x-request-id", "content-length")
    fields = {name: value for name, value in response.headers.items() if name not in own}
    return response.text.replace('"/todo/"', '"/todo"'), fields


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created", ["Buy oat milk", "Straße fegen", "call Zoë", "aardvark"]),
        ("-created", ["aardvark", "call Zoë", "Straße fegen", "Buy oat milk"]),
        ("updated", ["Straße fegen", "call Zoë", "aardvark", "Buy oat milk"]),
        ("-updated", ["Buy oat milk", "aardvark", "call Zoë", "Straße fegen"]),
        ("due", ["Straße fegen", "Buy oat milk", "call Zoë", "aardvark"]),
        ("-due", ["call Zoë", "Buy oat milk", "Straße fegen", "aardvark"]),
        ("priority", ["Straße fegen", "call Zoë", "aardvark", "Buy oat milk"]),
        ("-priority", ["Buy oat milk", "aardvark", "call Zoë", "Straße fegen"]),
        ("content", ["aardvark", "Buy oat milk", "call Zoë", "Straße fegen"]),
        ("-content", ["Straße fegen", "call Zoë", "Buy oat milk", "aardvark"]),
    ],
)
def test_entries_are_listed_in_the_order_asked_for(
    client: TestClient, sort: str, expected: list[str]
) -> None:
    _fill(client)
    assert client.put(f"/todo/{number(3)}/tags/new").status_code == 200

    assert contents(client.get(f"/todo?sort={sort}")) == expected


def test_the_order_is_that_of_creation_unless_another_is_asked_for(client: TestClient) -> None:
    _fill(client)

    assert client.get("/todo").json() == client.get("/todo?sort=created").json()


@pytest.mark.parametrize("sort", ["priority", "due", "content"])
def test_entries_of_the_same_key_are_in_the_order_of_their_ids(
    client: TestClient, sort: str
) -> None:
    for digits in (2, 3, 1):
        put(client, digits, "same")

    entries: list[Entry] = client.get(f"/todo?sort={sort}").json()

    assert [entry["id"] for entry in entries] == [number(digits) for digits in (1, 2, 3)]


def test_content_is_sorted_by_its_first_hundred_folded_code_points(client: TestClient) -> None:
    put(client, 2, "A" * 100 + "a")
    put(client, 1, "a" * 100 + "z")
    put(client, 3, "a" * 99 + "b")

    entries: list[Entry] = client.get("/todo?sort=content").json()

    assert [entry["id"] for entry in entries] == [number(digits) for digits in (1, 2, 3)]


def test_a_page_has_as_many_entries_as_asked_for_or_a_hundred(client: TestClient) -> None:
    for digits in range(1, 102):
        put(client, digits, f"entry {digits}")

    queries = ["limit=1", "limit=3", "limit=1000", ""]
    assert [len(contents(client.get(f"/todo?{query}"))) for query in queries] == [
        1,
        3,
        101,
        100,
    ]


@pytest.mark.parametrize("wish", ["count=exact", 'Count = "exact"', "a=b, count=exact; c=d"])
def test_the_number_on_all_pages_is_told_if_it_is_wished_for(
    client: TestClient, wish: str
) -> None:
    _fill(client)

    response = client.get("/todo?done=false&limit=1", headers={"Prefer": wish})

    assert len(contents(response)) == 1
    assert response.headers["Total-Count"] == "2"
    assert response.headers["Preference-Applied"] == "count=exact"


def test_a_wish_in_a_second_line_of_the_field_counts_like_one_in_the_first(
    client: TestClient,
) -> None:
    lines = [("Prefer", "respond-async"), ("Prefer", "count=exact")]

    response = client.get("/todo", headers=lines)

    assert response.headers["Total-Count"] == "0"


@pytest.mark.parametrize("wish", [None, "", "count=none", "count", "return=representation"])
def test_the_number_on_all_pages_is_not_told_otherwise(
    client: TestClient, wish: str | None
) -> None:
    response = client.get("/todo", headers={} if wish is None else {"Prefer": wish})

    assert contents(response) == []
    assert "Total-Count" not in response.headers
    assert "Preference-Applied" not in response.headers


def test_a_list_is_to_be_revalidated_before_it_is_used_again(client: TestClient) -> None:
    assert client.get("/todo").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', ' , {} ,W/"y"', "*"])
def test_a_list_that_the_client_has_is_not_sent_again(client: TestClient, form: str) -> None:
    _fill(client)
    etag = client.get("/todo?limit=1").headers["ETag"]

    listed = client.get("/todo?limit=1", headers={"If-None-Match": form.format(etag)})

    assert listed.status_code == 304
    assert listed.content == b""
    assert listed.headers["ETag"] == etag
    assert listed.headers["Cache-Control"] == "no-cache"


def test_two_lines_of_entity_tags_count_like_one(client: TestClient) -> None:
    etag = client.get("/todo").headers["ETag"]
    lines = [("If-None-Match", '"x"'), ("If-None-Match", etag)]

    assert client.get("/todo", headers=lines).status_code == 304


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/todo", {"content": "new"}),
        ("PUT", f"/todo/{number(9)}", {"content": "new"}),
        ("PATCH", f"/todo/{number(4)}", {"notes": "changed"}),
        ("PUT", f"/todo/{number(4)}/tags/new", None),
        ("DELETE", f"/todo/{number(4)}", None),
    ],
)
def test_the_tag_of_a_list_changes_with_any_entry_listed_or_not(
    client: TestClient, method: str, path: str, content: object
) -> None:
    _fill(client)
    before = client.get("/todo?tag=shop")
    assert client.request(method, path, json=content).is_success

    after = client.get("/todo?tag=shop", headers={"If-None-Match": before.headers["ETag"]})

    assert after.json() == before.json()
    assert after.headers["ETag"] != before.headers["ETag"]


@pytest.mark.parametrize("value", ["17", '"17', "'17'", "", 'w/"17"', '"a" "b"', '*, "17"'])
def test_a_malformed_list_of_entity_tags_is_refused(client: TestClient, value: str) -> None:
    response = client.get("/todo", headers={"If-None-Match": value})

    assert_problem(response, "invalid-input", header("If-None-Match"))
