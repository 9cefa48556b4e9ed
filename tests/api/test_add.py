"""POST /todo: a new entry, its id, and where it is."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import (
    RFC_3339_UTC,
    Entry,
    assert_problem,
    body,
    contents,
    get,
    number,
)
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

_FULL = {
    "content": "buy oat milk",
    "notes": "two litres\nif there is any",
    "tags": ["shop", "home"],
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


@pytest.mark.parametrize("path", ["/todo", "/todo/"])
def test_the_answer_is_the_id_as_a_json_string(client: TestClient, path: str) -> None:
    response = client.post(path, json={"content": "my first entry"})

    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    entry = get(client, response.json())
    assert response.text == f'"{entry["id"]}"'
    assert response.headers["Location"] == f"/todo/{entry['id']}"
    assert response.headers["ETag"] == f'"{entry["revision"]}"'
    assert "Preference-Applied" not in response.headers


def test_the_location_leads_to_the_entry_under_the_tag_answered(client: TestClient) -> None:
    added = client.post("/todo", json={"content": "my first entry"})

    found = client.get(added.headers["Location"])

    assert found.status_code == 200
    assert found.json()["id"] == added.json()
    assert found.headers["ETag"] == added.headers["ETag"]


def test_fields_left_out_take_their_defaults(client: TestClient) -> None:
    entry = get(client, client.post("/todo", json={"content": "bare"}).json())

    assert entry == {**entry, **_DEFAULTS, "content": "bare", "completed_at": None}
    assert entry["created_at"] == entry["updated_at"]
    assert entry["revision"] > 0


def test_fields_given_are_kept(client: TestClient) -> None:
    entry = get(client, client.post("/todo", json=_FULL).json())

    assert entry == {**entry, **_FULL, "tags": ["home", "shop"]}
    assert entry["completed_at"] == entry["created_at"]


def test_an_entry_has_the_documented_fields_and_no_other(client: TestClient) -> None:
    entry = get(client, client.post("/todo", json=_FULL).json())

    assert list(entry) == list(Entry.__annotations__)
    for field in (entry["created_at"], entry["updated_at"], str(entry["completed_at"])):
        assert RFC_3339_UTC.fullmatch(field)


def test_ids_are_canonical_and_sort_by_creation(client: TestClient) -> None:
    ids = [client.post("/todo", json={"content": "x"}).json() for _ in range(20)]

    assert ids == sorted(set(ids))
    assert all(len(entry_id) == 36 and entry_id == entry_id.lower() for entry_id in ids)
    assert {entry_id[14] for entry_id in ids} == {"7"}


@pytest.mark.parametrize(
    "wish",
    [
        "return=representation",
        "Return=Representation",
        'return="representation"',
        "return = representation",
        "respond-async, return=representation; foo=bar",
        "return=representation, return=minimal",
        'return="repre\\sentation"',
        'foo="a, return=minimal", return=representation',
        r'foo="\", return=minimal, \\", return=representation',
        'foo; bar="; a, return=minimal", return=representation',
    ],
)
def test_the_answer_is_the_entry_if_that_is_wished_for(client: TestClient, wish: str) -> None:
    response = client.post("/todo", json=_FULL, headers={"Prefer": wish})

    assert response.status_code == 201
    entry = response.json()
    assert entry == get(client, entry["id"])
    assert response.headers["Preference-Applied"] == "return=representation"
    assert response.headers["Location"] == f"/todo/{entry['id']}"
    assert response.headers["ETag"] == f'"{entry["revision"]}"'


@pytest.mark.parametrize(
    "wish",
    [
        "",
        "return=minimal",
        "return",
        "returns=representation",
        "count=exact",
        "return=minimal, return=representation",  # the first one counts: RFC 7240, 2
        'foo="a, return=representation"',
        r'foo="\", return=representation"',
        'foo; bar="a, return=representation"',
        'foo=";", bar=", return=representation, "',
    ],
)
def test_the_answer_is_the_id_whatever_else_is_wished_for(
    client: TestClient, wish: str
) -> None:
    response = client.post("/todo", json=_FULL, headers={"Prefer": wish})

    assert response.status_code == 201
    assert isinstance(response.json(), str)
    assert "Preference-Applied" not in response.headers


def test_a_wish_in_a_second_line_of_the_field_counts_like_one_in_the_first(
    client: TestClient,
) -> None:
    lines = [("Prefer", "respond-async"), ("Prefer", "return=representation")]

    response = client.post("/todo", json=_FULL, headers=lines)

    assert response.json()["content"] == "buy oat milk"


@pytest.mark.parametrize(
    "field", ["id", "created_at", "updated_at", "completed_at", "revision"]
)
def test_what_the_server_sets_is_refused(client: TestClient, field: str) -> None:
    entry = get(client, client.post("/todo", json=_FULL).json())
    value = dict(entry)[field]

    response = client.post("/todo", json={**_FULL, field: value})

    assert_problem(response, "invalid-input", body(f"#/{field}"))


@pytest.mark.parametrize("field", ["notes", "tags", "priority", "done"])
def test_null_is_no_value_of_a_new_entry(client: TestClient, field: str) -> None:
    response = client.post("/todo", json={"content": "x", field: None})

    assert_problem(response, "invalid-input", body(f"#/{field}"))


def test_a_new_entry_without_content_is_refused(client: TestClient) -> None:
    response = client.post("/todo", json={"notes": "x"})

    assert_problem(response, "invalid-input", body("#/content"))


def test_all_that_is_wrong_with_a_body_is_told_together(client: TestClient) -> None:
    wrong = {"content": "", "tags": ["ok", "a b", 7], "done": "yes", "colour": "red"}

    response = client.post("/todo", json=wrong)

    places = ["#/content", "#/tags/1", "#/tags/2", "#/done", "#/colour"]
    assert_problem(response, "invalid-input", *map(body, places))
    assert contents(client.get("/todo")) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"content": "  x\u00a0\n"}, {"content": "x"}),
        ({"content": "e\u0301" * 1_000}, {"content": "é" * 1_000}),
        ({"content": "😀" * 1_000}, {"content": "😀" * 1_000}),
        ({"content": " " + "x" * 1_000 + " "}, {"content": "x" * 1_000}),
        ({"content": "a  b"}, {"content": "a  b"}),
        ({"content": '<b>"&amp;\\'}, {"content": '<b>"&amp;\\'}),
        ({"notes": "\r\na\r\nb\rc\u2028d\u2029e\tf\n"}, {"notes": "a\nb\nc\nd\ne\tf"}),
        ({"notes": "n" * 16_000}, {"notes": "n" * 16_000}),
        ({"tags": ["b", "a", "b", "B"]}, {"tags": ["B", "a", "b"]}),
        ({"tags": ["u\u0308", "ü", " ü "]}, {"tags": ["ü"]}),
        ({"tags": ["x" * 60, "...", "#", "a.b", "%", "?&="]}, None),
        ({"tags": [f"t{n:03}" for n in range(100)]}, None),
        (
            {"tags": [f"t{n:03}" for n in range(100)] * 2},
            {"tags": [f"t{n:03}" for n in range(100)]},
        ),
    ],
)
def test_text_is_kept_in_one_spelling(
    client: TestClient, given: dict[str, object], kept: dict[str, object] | None
) -> None:
    response = client.post("/todo", json={"content": "x", **given})

    assert response.status_code == 201, response.text
    entry = dict(get(client, response.json()))
    expected = kept or {name: sorted(map(str, list_)) for name, list_ in _lists(given)}
    assert {name: entry[name] for name in expected} == expected


def _lists(given: dict[str, object]) -> list[tuple[str, list[object]]]:
    return [(name, value) for name, value in given.items() if isinstance(value, list)]


@pytest.mark.parametrize("tags", [None, "home", 7, {}])
def test_tags_that_are_no_array_are_called_so(client: TestClient, tags: object) -> None:
    response = client.post("/todo", json={"content": "x", "tags": tags})

    problem = assert_problem(response, "invalid-input", body("#/tags"))
    assert problem["errors"][0]["detail"] == "must be an array"


def test_the_session_of_the_first_minute_works_as_written(client: TestClient) -> None:
    before = client.get("/todo/")
    added = client.post("/todo/", content=b'{"content": "my first entry"}', headers=_CURL)
    after = client.get("/todo/")

    assert before.text == "[]"
    assert added.text == f'"{added.json()}"'
    start = f'[{{"id":"{added.json()}","content":"my first entry",'
    assert after.text.startswith(start)
    assert '"tags":[]' in after.text


_CURL = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "curl/8.5.0"}


def test_entries_with_the_same_content_are_different_entries(client: TestClient) -> None:
    for _ in range(2):
        assert client.post("/todo", json={"content": "twice"}).status_code == 201

    assert contents(client.get("/todo")) == ["twice", "twice"]
    assert client.get(f"/todo/{number(1)}").status_code == 404
