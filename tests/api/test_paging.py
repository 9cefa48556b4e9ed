"""GET /todo, a page at a time: following the links shows every entry once, in order."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.api.answers import (
    Entry,
    assert_problem,
    contents,
    get,
    number,
    parameter,
    put,
)
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

_PRIORITIES = ["none", "low", "medium", "high"]
_END_OF_DAY = "T23:59:59.999999Z"


def _fill(client: TestClient) -> list[Entry]:
    """Store entries with equal and with missing keys, not in the order of their ids."""
    dues = [None, "2026-12-24", "2026-12-24T23:59:59.999999Z", "2026-12-23T12:00:00Z", None]
    return [
        put(
            client,
            digits * 7 % 11,
            f"entry {digits % 3}",
            due=dues[digits % 5],
            priority=_PRIORITIES[digits % 4],
            tags=["even"] if digits % 2 == 0 else ["odd"],
        )
        for digits in range(1, 11)
    ]


def _pages(client: TestClient, url: str) -> Iterator[Response]:
    """Answer the page at the URL and all that its links lead to."""
    following: str | None = url
    while following is not None:
        page = client.get(following)
        assert page.status_code == 200, page.text
        yield page
        following = page.links.get("next", {}).get("url")


def _due(entry: Entry) -> str:
    due = str(entry["due"])
    return due if "T" in due else due + _END_OF_DAY


_KEYS: dict[str, Callable[[Entry], object]] = {
    "created": lambda entry: entry["created_at"],
    "updated": lambda entry: entry["updated_at"],
    "due": _due,
    "priority": lambda entry: _PRIORITIES.index(entry["priority"]),
    "content": lambda entry: entry["content"],
}


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("sort", list(_KEYS))
def test_following_the_links_shows_every_entry_once_and_in_order(
    shared_client: TestClient, sort: str, turned: bool, limit: int
) -> None:
    entries = _fill(shared_client)

    pages = list(_pages(shared_client, f"/todo?sort={'-' * turned}{sort}&limit={limit}"))

    keyed = [entry for entry in entries if sort != "due" or entry["due"]]
    unkeyed = [entry for entry in entries if entry not in keyed]
    expected = [
        *sorted(keyed, key=lambda e: (_KEYS[sort](e), e["id"]), reverse=turned),
        *sorted(unkeyed, key=lambda e: e["id"], reverse=turned),
    ]
    assert [entry for page in pages for entry in page.json()] == expected
    assert [len(page.json()) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_pages_hold_only_what_the_conditions_let_through(client: TestClient) -> None:
    entries = _fill(client)

    pages = list(_pages(client, "/todo?tag=even&search=entry&limit=2&sort=priority"))

    found = [entry["id"] for page in pages for entry in page.json()]
    assert len(pages) == 3
    assert sorted(found) == sorted(e["id"] for e in entries if e["tags"] == ["even"])


def test_the_link_repeats_the_query_behind_the_path(client: TestClient) -> None:
    put(client, 1, "a b", tags=["ü&"])
    put(client, 2, "a b", tags=["ü&"])

    page = client.get("/todo/", params={"search": "a b", "tag": "ü&", "limit": "1"})

    (link,) = page.headers.get_list("Link")
    assert link.startswith("</todo?") and link.endswith('>; rel="next"')
    query = parse_qs(urlsplit(page.links["next"]["url"]).query, strict_parsing=True)
    assert query.pop("cursor")
    assert query == {"search": ["a b"], "tag": ["ü&"], "limit": ["1"]}


def test_the_last_page_has_no_link(client: TestClient) -> None:
    _fill(client)

    assert "Link" not in client.get("/todo?limit=10").headers
    assert "Link" not in client.get("/todo?search=nothing").headers
    assert "Link" in client.get("/todo?limit=9").headers


def test_every_page_tells_the_number_on_all_of_them(client: TestClient) -> None:
    _fill(client)
    wish = {"Prefer": "count=exact"}

    first = client.get("/todo?limit=6", headers=wish)
    second = client.get(first.links["next"]["url"], headers=wish)

    assert (first.headers["Total-Count"], second.headers["Total-Count"]) == ("10", "10")


def test_a_page_says_with_which_link_it_goes_on_even_when_it_is_not_sent(
    client: TestClient,
) -> None:
    _fill(client)
    first = client.get("/todo?limit=6")

    again = client.get("/todo?limit=6", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.headers["Link"] == first.headers["Link"]


@pytest.mark.parametrize("sort", ["created", "-created", "content", "-content", "due", "-due"])
def test_nothing_repeats_or_vanishes_because_others_come_and_go(
    client: TestClient, sort: str
) -> None:
    staying = {entry["id"] for entry in _fill(client)}
    shown: list[str] = []

    for come, page in enumerate(_pages(client, f"/todo?sort={sort}&limit=2"), 100):
        ids = [entry["id"] for entry in page.json()]
        shown += ids
        put(client, come, f"entry {come % 4}", due="2026-12-24")
        if ids[-1] in staying:
            assert client.delete(f"/todo/{ids[-1]}").status_code == 204
        assert len(shown) < 40, "the pages do not end"

    assert len(shown) == len(set(shown))
    assert staying <= set(shown)


def test_pages_may_grow_and_shrink_on_the_way(client: TestClient) -> None:
    _fill(client)
    first = client.get("/todo?limit=2")
    cursor = _cursor(first)

    rest = client.get("/todo", params={"limit": "1000", "cursor": cursor})

    assert contents(first) + contents(rest) == contents(client.get("/todo"))


def test_repeated_parameters_may_come_in_another_order(client: TestClient) -> None:
    for digits in (1, 2):
        put(client, digits, "both", tags=["a", "b"], priority="low")
    query = "tag=a&tag=b&priority=low&priority=high"
    cursor = _cursor(client.get(f"/todo?{query}&limit=1"))

    turned = f"priority=high&priority=low&cursor={cursor}&tag=b&tag=a"

    assert contents(client.get(f"/todo?{turned}")) == ["both"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "sort=-created&tag=even",
        "sort=due&tag=even",
        "sort=content&tag=even",
        "tag=odd",
        "tag=even&tag=odd",
        "tag=even&done=false",
        "tag=even&search=entry",
        "tag=even&priority=none",
        "tag=even&due_before=2027-01-01",
        "tag=even&due_after=2020-01-01",
        "tag=even&completed_before=2027-01-01",
        "tag=even&completed_after=2020-01-01",
    ],
)
def test_a_cursor_is_refused_with_another_order_or_another_condition(
    client: TestClient, query: str
) -> None:
    _fill(client)
    cursor = _cursor(client.get("/todo?tag=even&limit=1"))

    response = client.get(f"/todo?{query}&cursor={cursor}")

    assert_problem(response, "invalid-input", parameter("cursor"))


@pytest.mark.parametrize(
    "query",
    ["cursor=%s", "cursor=%s&", "%%63ursor=%s", "limit=1&cursor=%s", "cursor=%s&limit=1"],
)
def test_a_cursor_may_stand_anywhere(client: TestClient, query: str) -> None:
    _fill(client)
    cursor = _cursor(client.get("/todo?limit=1"))

    page = client.get("/todo?" + query % cursor)

    assert contents(page)[0] == contents(client.get("/todo"))[1]
    if following := page.links.get("next"):
        assert parse_qs(urlsplit(following["url"]).query) == {
            "limit": ["1"],
            "cursor": [_cursor(page)],
        }


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%s&cursor=%s",
        "%%63ursor=%s&cursor=%s",
        "cursor=%s&%%63ursor=%s",
        "cursor=%s&limit=1&cursor=%s",
        "cursor=&cursor=%s%.0s",
    ],
)
def test_a_cursor_is_given_once(client: TestClient, query: str) -> None:
    _fill(client)
    cursor = _cursor(client.get("/todo?limit=1"))

    response = client.get("/todo?" + query % (cursor, cursor))

    assert_problem(response, "invalid-input", parameter("cursor"))


def test_a_cursor_outlives_the_entry_it_was_made_from(client: TestClient) -> None:
    for digits in (1, 2, 3):
        put(client, digits, f"entry {digits}")
    page = client.get("/todo?limit=1&sort=content")

    assert client.delete(f"/todo/{number(1)}").status_code == 204

    assert contents(client.get(page.links["next"]["url"])) == ["entry 2"]


def test_an_entry_changed_on_a_later_page_is_shown_as_it_is_now(client: TestClient) -> None:
    for digits in (1, 2):
        put(client, digits, "entry")
    page = client.get("/todo?limit=1")

    assert client.put(f"/todo/{number(2)}/tags/new").status_code == 200

    assert client.get(page.links["next"]["url"]).json() == [get(client, number(2))]


def _cursor(page: Response) -> str:
    (cursor,) = parse_qs(urlsplit(page.links["next"]["url"]).query)["cursor"]
    return cursor
