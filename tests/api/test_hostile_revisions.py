"""Revisions, and what else is asked of changes, that break every rule there is."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, number, parameter, put, unchanged

_ENTRY = f"/todo/{number(7)}"
_each_feed = pytest.mark.parametrize("feed", ["/todo/changes", f"{_ENTRY}/changes"])


@_each_feed
@pytest.mark.parametrize(
    ("query", "names"),
    [
        *(
            (f"since={value}", ["since"])
            for value in (
                "",
                "7x",
                "+7",
                "%2B7",
                "-1",
                "%207",
                "7%20",
                "7%0A",
                "07",
                "1_0",
                "1e0",
                "1.0",
                "0x1",
                "%D9%A1",
                "null",
                '"1"',
                "1000000000000000000",
                "9" * 5_000,
            )
        ),
        *((f"limit={value}", ["limit"]) for value in ("0", "1001", "-1", "x", "", "1.0")),
        ("since=0&since=0", ["since"]),
        ("limit=1&limit=2&since=0&since=1", ["limit", "since"]),
        ("Since=0", ["Since"]),
        ("cursor=0&kind=added", ["cursor", "kind"]),
        ("since=x&limit=x&nonsense=x", ["since", "limit", "nonsense"]),
    ],
)
def test_a_query_of_changes_that_breaks_a_rule_is_refused_with_its_place(
    shared_client: TestClient, feed: str, query: str, names: list[str]
) -> None:
    put(shared_client, 7, "x")

    response = shared_client.get(f"{feed}?{query}")

    assert_problem(response, "invalid-input", *map(parameter, names))


@pytest.mark.parametrize(
    "value",
    ["", "1x", "+1", "%2B1", "-1", "%201", "01", "1.0", "null", "%D9%A1", '"1"', "9" * 5_000],
)
def test_an_entry_at_what_is_no_revision_is_refused(
    shared_client: TestClient, value: str
) -> None:
    put(shared_client, 7, "x")

    response = shared_client.get(f"{_ENTRY}?at={value}")

    assert_problem(response, "invalid-input", parameter("at"))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("at=1&at=1", ["at"]),
        ("At=1", ["At"]),
        ("at=x&since=1", ["at", "since"]),
        ("tag=a&tag=b", ["tag"]),
        ("%00=1", ["\0"]),
        ("=", [""]),
    ],
)
def test_an_entry_takes_no_query_of_anything_else(
    shared_client: TestClient, query: str, names: list[str]
) -> None:
    put(shared_client, 7, "x")

    response = shared_client.get(f"{_ENTRY}?{query}")

    assert_problem(response, "invalid-input", *map(parameter, names))


@pytest.mark.parametrize(
    "spelling",
    [
        "0",
        "01",
        "+1",
        "%2B1",
        "-1",
        "1%20",
        "%201",
        "1%0A",
        "1x",
        "1.0",
        "1e0",
        "0x1",
        "%D9%A1",
        "last",
        "null",
        "%00",
        number(7),
        "1000000000000000000",
        "9" * 5_000,
    ],
)
def test_undoing_what_is_no_revision_is_refused(
    shared_client: TestClient, spelling: str
) -> None:
    put(shared_client, 7, "x")

    with unchanged(shared_client):
        response = shared_client.post(f"/todo/changes/{spelling}/undo")

        assert_problem(response, "invalid-input", parameter("revision"))
