"""Paths, queries and header fields that break every rule there is."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.api.answers import (
    assert_any_problem,
    assert_problem,
    contents,
    get,
    number,
    parameter,
    put,
    unchanged,
)


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client of an application that other tests have used."""
    return shared_client


_ID = "8b122755-530e-43c7-ae84-362c17a37fc5"

_ID_OPERATIONS = [
    ("GET", "/todo/{}", None),
    ("PUT", "/todo/{}", {"content": "x"}),
    ("PATCH", "/todo/{}", {"content": "x"}),
    ("DELETE", "/todo/{}", None),
    ("GET", "/todo/{}?at=1", None),
    ("GET", "/todo/{}/changes", None),
    ("PUT", "/todo/{}/tags/a", None),
    ("DELETE", "/todo/{}/tags/a", None),
]


@pytest.mark.parametrize(
    "spelling",
    [
        _ID.upper(),
        _ID.replace("b", "B", 1),
        f"%7B{_ID}%7D",
        f"{{{_ID}}}",
        f"urn:uuid:{_ID}",
        f"URN:UUID:{_ID}",
        _ID.replace("-", ""),
        _ID.replace("-", "", 1),
        f"{_ID[:8]}{_ID[9:]}-",
        f"{_ID}-",
        f"%20{_ID}",
        f"{_ID}%20",
        f"{_ID}%0A",
        f"{_ID}%00",
        f"({_ID})",
        f"%22{_ID}%22",
        _ID[:-1],
        f"{_ID}0",
        _ID.replace("8", "g", 1),
        _ID.replace("8", "%EF%BC%98", 1),
        quote(_ID.replace("8", "٨")),
        f"0x{_ID[2:]}",
        _ID.replace("-", "_"),
        "7",
        "-1",
        "0",
        "null",
        "None",
        "%7Bid%7D",
        "*",
        "%00",
        "%2E%2E",
        "%27%20OR%201=1--",
        "x" * 5_000,
        "%F0%9F%A6%B7",
        "Batch",
        "batches",
        "change",
        "events.json",
    ],
)
def test_an_id_in_any_other_spelling_is_refused(client: TestClient, spelling: str) -> None:
    client.put(f"/todo/{_ID}", json={"content": "x", "tags": ["a"]})

    with unchanged(client):
        for method, path, content in _ID_OPERATIONS:
            response = client.request(method, path.format(spelling), json=content)
            assert_problem(response, "invalid-input", parameter("id"))


@pytest.mark.parametrize(
    "target",
    [
        "/%FF",
        "/todo/%FF",
        "/todo/%C3",
        "/todo/%C0%AF",
        "/todo/%ED%A0%80",
        "/todo/%F4%90%80%80",
        f"/todo/{_ID}%FF",
        f"/todo/{_ID}/tags/%FF",
        f"/todo/{_ID}/changes?%FF",
        "/todo/changes?since=%FF",
        "/todo/changes/%FF/undo",
        "/todo/batch?%FF",
        f"/todo/{_ID}/tags/%FC",
        f"/todo/{_ID}/tags/a%E2%82",
        "/tags/%80",
        "/docs/%FF",
        "/docs/swagger-ui/%FF",
        "/problems/%FF",
        "/todo?search=%FF",
        "/todo?search=%FC",
        "/todo?search=a%C3",
        "/todo?tag=%C0%AF",
        "/todo?search=%ED%A0%80",
        "/todo?cursor=%FF",
        "/todo?%FF=1",
        "/todo?nonsense=%FF",
        f"/todo/{_ID}?%FF",
        "/health/live?%FF",
        "/nothing?a=%FF",
    ],
)
def test_a_path_or_query_that_is_not_utf_8_is_malformed(
    client: TestClient, target: str
) -> None:
    put(client, 7, "x", tags=["ü"])

    with unchanged(client):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert_problem(client.request(method, target), "malformed-request")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search=a&search=b", ["search"]),
        ("limit=1&limit=2&sort=due&sort=due", ["limit", "sort"]),
        ("cursor=a&cursor=b", ["cursor"]),
        ("nonsense=1&nonsense=2", ["nonsense"]),
        ("limit=1&LIMIT=2", ["LIMIT"]),
        ("limit[]=1", ["limit[]"]),
        ("tag[0]=a", ["tag[0]"]),
        ("%6Cimit=0", ["limit"]),
        ("limit=1%00", ["limit"]),
        ("limit=1;sort=due", ["limit"]),
        ("tag=a%0Ab", ["tag"]),
        ("tag=%E2%80%A8", ["tag"]),
        ("search=a%07", ["search"]),
        ("search=" + "e%CC%81" * 1_001, ["search"]),
        ("search=" + "%CC%81" * 10_000, ["search"]),
        ("tag=" + "%CC%81" * 10_000, ["tag"]),
        ("done=%74rue%20", ["done"]),
        ("done=TRUE", ["done"]),
        ("done=tr%C3%BCe", ["done"]),
        ("sort=created%20", ["sort"]),
        ("priority=none%00", ["priority"]),
        ("due_before=2026-12-24T17:00:00+01:00", ["due_before"]),  # a plus sign is a space
        ("due_after=" + "2" * 20_000, ["due_after"]),
        ("a=1&b=2&c=3", ["a", "b", "c"]),
        ("<script>=1", ["<script>"]),
    ],
)
def test_a_query_that_breaks_a_rule_is_refused_with_its_place(
    client: TestClient, query: str, names: list[str]
) -> None:
    put(client, 7, "x")

    with unchanged(client):
        response = client.get(f"/todo?{query}")

        assert_problem(response, "invalid-input", *map(parameter, names))


def test_of_parameters_that_are_given_twice_a_hundred_are_told_and_none_at_length(
    client: TestClient,
) -> None:
    names = ["x" * 5_000, *map(str, range(200))]

    response = client.get("/todo?" + "&".join(f"{name}=&{name}=" for name in names))

    assert len(assert_any_problem(response)["errors"]) == 100
    assert len(response.content) < 20_000


@pytest.mark.parametrize("query", ["", "&", "&&&", "&".join(["priority=none"] * 3_000)])
def test_an_odd_query_may_still_be_right(client: TestClient, query: str) -> None:
    assert contents(client.get(f"/todo?{query}")) == contents(client.get("/todo"))


def _encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "====",
        "!!!!",
        "a b",
        "%00",
        "%C3%BC",
        "%F0%9F%A6%B7",
        "q83vEjRWeJCrze8SNFZ4kA",
        "A" * 10_001,
        "_" * 64,
        urlsafe_b64encode(b"\xff\xfe").decode(),
        urlsafe_b64encode(b"[" * 6_000).decode(),
        urlsafe_b64encode(b"9" * 6_000).decode(),
        urlsafe_b64encode(b'{"a": 1').decode(),
        *map(
            _encoded,
            [
                None,
                True,
                7,
                1e999,
                "",
                "abc",
                [],
                [1],
                [1, 2],
                [1, 2, 3],
                [1, 2, 3, 4],
                ["", "", ""],
                [None, None, None],
                [[], [], []],
                {},
                {"a": 1, "b": 2, "c": 3},
                ["0" * 16, "2026-12-24T17:00:00+00:00", "0" * 32],
            ],
        ),
    ],
)
@pytest.mark.parametrize("sort", ["created", "-due", "priority", "content"])
def test_a_cursor_that_was_made_up_is_refused(
    client: TestClient, cursor: str, sort: str
) -> None:
    response = client.get(f"/todo?sort={sort}&cursor={cursor}")

    assert_problem(response, "invalid-input", parameter("cursor"))


_NO_TEXT: list[object] = [True, False, 0, -1, 1.5, [], {}, ["a"]]
_NO_TIME = [*_NO_TEXT, "", "x", "2026-12-24", "2026-12-24T17:00:00", "\ud800", "9" * 5_000]


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("created", [*_NO_TIME, None]),
        ("-updated", [*_NO_TIME, None]),
        ("due", _NO_TIME),
        ("-due", _NO_TIME),
        ("priority", [None, "none", "0", 1.5, 4, -1, 10**17, [], {}]),
        ("-content", [None, *_NO_TEXT, "\ud800"]),
    ],
)
def test_a_cursor_whose_key_is_of_another_kind_is_refused(
    client: TestClient, sort: str, keys: list[object]
) -> None:
    fingerprint, key, entry_id = _real_cursor(client, sort)
    assert client.get(_with_cursor(sort, [fingerprint, key, entry_id])).status_code == 200

    for other in keys:
        response = client.get(_with_cursor(sort, [fingerprint, other, entry_id]))
        assert_problem(response, "invalid-input", parameter("cursor"))


@pytest.mark.parametrize(
    "entry_id", [None, True, 7, "", "x", "0" * 31, "0" * 5_000, [], {}, "\ud800", "g" * 32]
)
@pytest.mark.parametrize("sort", ["created", "due", "priority", "content"])
def test_a_cursor_whose_id_is_none_is_refused(
    client: TestClient, sort: str, entry_id: object
) -> None:
    fingerprint, key, _ = _real_cursor(client, sort)

    response = client.get(_with_cursor(sort, [fingerprint, key, entry_id]))

    assert_problem(response, "invalid-input", parameter("cursor"))


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("created", "0001-01-01T00:00:00+23:59"),
        ("-updated", "9999-12-31T23:59:59-23:59"),
        ("due", None),
        ("-due", "0001-01-01T00:00:00+00:00"),
        ("priority", 3),
        ("content", "\u0000"),
        ("-content", "😀" * 1_000),
    ],
)
def test_a_cursor_with_a_key_that_no_entry_has_leads_somewhere(
    client: TestClient, sort: str, key: object
) -> None:
    fingerprint, _, entry_id = _real_cursor(client, sort)

    assert client.get(_with_cursor(sort, [fingerprint, key, entry_id])).status_code == 200


def _real_cursor(client: TestClient, sort: str) -> tuple[object, object, object]:
    """Answer what a cursor is made of: clients must not look, but an attacker will."""
    put(client, 7, "x", due="2026-12-24")
    put(client, 8, "y", due="2026-12-25")
    link = client.get(f"/todo?sort={sort}&limit=1").links["next"]["url"]
    (cursor,) = parse_qs(urlsplit(link).query)["cursor"]
    fingerprint, key, entry_id = json.loads(
        urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    )
    return fingerprint, key, entry_id


def _with_cursor(sort: str, value: object) -> str:
    return f"/todo?sort={sort}&cursor={_encoded(value)}"


def test_a_huge_condition_is_read_to_its_end(client: TestClient) -> None:
    entry = put(client, 7, "x")
    others = '"x", ' * 20_000

    met = client.patch(
        f"/todo/{number(7)}",
        json={"content": "y"},
        headers={"If-Match": f'{others}"{entry["revision"]}"'},
    )
    missed = client.patch(
        f"/todo/{number(7)}", json={"content": "z"}, headers={"If-Match": f'{others}"0"'}
    )

    assert met.status_code == 200
    assert_problem(missed, "todo-entry-changed")
    assert get(client, number(7))["content"] == "y"


@pytest.mark.parametrize(
    "value",
    [
        '"' * 50_001,
        ", " * 50_000 + "x",
        " \t" * 50_000 + "x",
        '"a"' * 30_000,
        '"a" ' * 30_000,
        "W/" * 30_000,
        '"' + "x" * 100_000,
    ],
)
def test_a_huge_condition_that_is_malformed_is_refused(client: TestClient, value: str) -> None:
    put(client, 7, "x")

    with unchanged(client):
        for method in ("PUT", "PATCH", "DELETE"):
            content = None if method == "DELETE" else {"content": "y"}
            response = client.request(
                method, f"/todo/{number(7)}", json=content, headers={"If-Match": value}
            )
            assert response.status_code == 422
            assert_any_problem(response)


@pytest.mark.parametrize(
    "wish",
    [
        ",",
        ";;;",
        "=",
        '"',
        'return="',
        "return=" + "x" * 50_000,
        ", " * 50_000,
        "a=b; " * 20_000,
        ' "' * 30_000,
        '"' + r"\\" * 30_000,
        '"' + r"\"" * 30_000 + ", return=representation",
        "return==representation",
        "représentation".encode().decode("latin-1"),
    ],
)
def test_a_wish_that_makes_no_sense_is_not_granted(client: TestClient, wish: str) -> None:
    field = [(b"Prefer", wish.encode("latin-1"))]

    added = client.post("/todo", json={"content": "x"}, headers=field)
    listed = client.get("/todo?limit=1", headers=field)

    assert (added.status_code, listed.status_code) == (201, 200)
    assert isinstance(added.json(), str)
    assert "Preference-Applied" not in added.headers
    assert "Preference-Applied" not in listed.headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept", "text/html"),
        ("Accept", "nonsense"),
        ("Accept-Encoding", "nonsense;q=7"),
        ("Range", "bytes=0-0"),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("If-Unmodified-Since", "nonsense"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Cookie", "a=b; \x01"),
        ("Content-Type", "nonsense"),
        ("Content-Encoding", "gzip"),
        ("Expect", "nonsense"),
    ],
)
def test_a_field_that_means_nothing_here_changes_nothing(
    client: TestClient, name: str, value: str
) -> None:
    put(client, 7, "x")
    put(client, 8, "y")
    plain = client.get("/todo?limit=1")

    answer = client.get("/todo?limit=1", headers={name: value})

    assert answer.status_code == 200
    assert answer.content == plain.content
    for field in ("ETag", "Link", "Content-Type"):
        assert answer.headers[field] == plain.headers[field]
