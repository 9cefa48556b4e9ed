"""Idempotency-Key: a request that comes again is answered as at first, and done once."""

import asyncio
import json

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.answers import (
    JSON,
    assert_problem,
    changes,
    contents,
    header,
    number,
    put,
    unchanged,
)
from tests.api.applications import (
    build_app,
    on_every_storage,
    open_async_client,
    open_client,
)

_on_every_database = pytest.mark.parametrize(
    "storage_url_in", ["sqlite", "postgresql"], indirect=True, scope="module"
)


def _batch(*operations: object) -> bytes:
    return json.dumps({"operations": operations}).encode()


_KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
_WISH = {"Prefer": "return=representation"}

_SEVEN = number(7)
_BATCH = _batch({"op": "create", "entry": {"content": "new"}}, {"op": "remove", "id": _SEVEN})
_IDLE_BATCH = _batch({"op": "tag", "id": _SEVEN, "tag": "home"})
_TAKEN = _batch({"op": "create", "id": _SEVEN, "entry": {"content": "x"}})
_REQUESTS = [
    pytest.param("/todo", b'{"content": "new"}', {}, id="add"),
    pytest.param("/todo/", b'{"content": "new", "done": true}', _WISH, id="add and answer"),
    pytest.param("/todo/batch", _BATCH, {}, id="batch"),
    pytest.param("/todo/batch", _IDLE_BATCH, {}, id="batch without effect"),
    pytest.param("/todo/changes/2/undo", b"", {}, id="undo"),
]
_each_request = pytest.mark.parametrize(("path", "content", "fields"), _REQUESTS)


def _fill(client: TestClient) -> None:
    put(client, 7, "x", tags=["home"])
    put(client, 8, "y")


def _post(
    client: TestClient,
    path: str = "/todo",
    content: bytes = b'{"content": "new"}',
    *,
    key: str | None = _KEY,
    **fields: str,
) -> Response:
    named = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, content=content, headers={**JSON, **named, **fields})


def _comparable(response: Response) -> tuple[int, bytes, dict[str, str]]:
    fields = {n: value for n, value in response.headers.items() if n != "x-request-id"}
    return response.status_code, response.content, fields


@on_every_storage
@_each_request
def test_a_request_that_comes_again_is_answered_the_same_and_done_once(
    client: TestClient, path: str, content: bytes, fields: dict[str, str]
) -> None:
    _fill(client)
    first = _post(client, path, content, **fields)
    assert first.is_success, first.text

    with unchanged(client):
        for _ in range(2):
            again = _post(client, path, content, **fields)
            assert _comparable(again) == _comparable(first)


@on_every_storage
@_each_request
def test_the_first_answer_is_given_whatever_has_happened_since(
    client: TestClient, path: str, content: bytes, fields: dict[str, str]
) -> None:
    _fill(client)
    first = _post(client, path, content, **fields)
    for entry in client.get("/todo").json():
        client.patch(f"/todo/{entry['id']}", json={"content": "other"})
        client.delete(f"/todo/{entry['id']}")

    with unchanged(client):
        again = _post(client, path, content, **fields)

    assert _comparable(again) == _comparable(first)


@on_every_storage
@_each_request
def test_the_first_answer_is_given_after_a_restart(
    storage_url: str, path: str, content: bytes, fields: dict[str, str]
) -> None:
    with open_client(build_app(storage_url)) as client:
        _fill(client)
        first = _post(client, path, content, **fields)

    with open_client(build_app(storage_url)) as client, unchanged(client):
        again = _post(client, path, content, **fields)

    assert _comparable(again) == _comparable(first)


@_on_every_database
@_each_request
def test_the_first_answer_is_given_by_another_process(
    storage_url: str, path: str, content: bytes, fields: dict[str, str]
) -> None:
    with (
        open_client(build_app(storage_url)) as one,
        open_client(build_app(storage_url)) as other,
    ):
        _fill(one)
        first = _post(one, path, content, **fields)

        with unchanged(one):
            again = _post(other, path, content, **fields)

    assert _comparable(again) == _comparable(first)


@on_every_storage
async def test_repeats_that_come_while_the_first_still_runs_are_answered_the_same(
    storage_url: str,
) -> None:
    async with open_async_client(build_app(storage_url)) as http:
        answers = await asyncio.gather(
            *(
                http.post("/todo", json={"content": "x"}, headers={"Idempotency-Key": _KEY})
                for _ in range(100)
            )
        )

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert len((await http.get("/todo/changes")).json()) == 1


@_on_every_database
async def test_repeats_that_reach_several_processes_at_once_are_done_once(
    storage_url: str,
) -> None:
    async with (
        open_async_client(build_app(storage_url)) as one,
        open_async_client(build_app(storage_url)) as other,
    ):
        for round_number in range(10):
            key = {"Idempotency-Key": f"{round_number}"}
            answers = await asyncio.gather(
                *(
                    http.post("/todo", json={"content": "x"}, headers=key)
                    for http in (one, other) * 5
                )
            )

            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.text for answer in answers}) == 1
        assert len((await one.get("/todo/changes")).json()) == 10


@on_every_storage
def test_every_key_is_a_request_of_its_own(client: TestClient) -> None:
    for key in ("a", "A", '"a "', '" a"', "a.", None, None):
        assert _post(client, key=key).status_code == 201

    assert len(changes(client)) == 7


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", '"a"'),
        (_KEY, f'"{_KEY}"'),
        ("a", " \ta "),
        ('"a"', '\t"a" '),
        ("a=/+b", '"a=/+b"'),
        ("x" * 255, f'"{"x" * 255}"'),
        (f'"{"x" * 200}"', "x" * 200),
    ],
)
def test_the_quotes_may_be_left_out(client: TestClient, one: str, other: str) -> None:
    first = _post(client, key=one)

    assert first.status_code == 201
    assert _comparable(_post(client, key=other)) == _comparable(first)


@given(
    keys=st.lists(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=9),
        min_size=1,
        max_size=3,
        unique=True,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_different_keys_name_different_requests(
    shared_client: TestClient, keys: list[str]
) -> None:
    ids = set()
    for key in keys:
        escaped = key.replace("\\", r"\\").replace('"', r"\"")
        first, again = (_post(shared_client, key=f'"{escaped}"') for _ in range(2))
        assert first.status_code == 201, first.text
        assert _comparable(again) == _comparable(first)
        ids.add(first.json())

    assert len(ids) == len(keys)


def test_quotes_and_backslashes_are_escaped(client: TestClient) -> None:
    keys = [r'"\""', r'"\\"', r'"\\\""', r'"a\\b"', r'"a\"b"', '"' + r"\\" * 255 + '"']

    for key in keys:
        assert _post(client, key=key).status_code == 201

    assert len(changes(client)) == len(keys)


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        '""',
        '"',
        '"""',
        '"a',
        'a"',
        'a"b',
        '"a"b',
        '"a""b"',
        '"a\\"',
        '"\\a"',
        "a\\b",
        "a b",
        "a,b",
        '"a", "b"',
        "a;b=1",
        '"a";b=1',
        "'a b'",
        "x" * 256,
        f'"{"x" * 256}"',
        "x" * 50_000,
        '"' + r"\"" * 256 + '"',
        '"' + "\\" * 50_001 + '"',
        '"a\tb"',
        '"a\x7fb"',
        "a\x01",
        "ü",
        '"ü"',
        '"\xff"',
        ":YQ==: :",
    ],
)
def test_what_is_no_key_is_refused(shared_client: TestClient, key: str) -> None:
    named = {b"Idempotency-Key": key.encode("latin-1"), b"Content-Type": b"application/json"}

    with unchanged(shared_client):
        for path, content in (("/todo", b'{"content": "x"}'), ("/todo/changes/1/undo", b"")):
            response = shared_client.post(path, content=content, headers=named)
            assert_problem(response, "invalid-input", header("Idempotency-Key"))


def test_several_keys_are_refused(shared_client: TestClient) -> None:
    for other in ("a", "b", ""):
        lines = [*JSON.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", other)]
        with unchanged(shared_client):
            response = shared_client.post("/todo", content=b'{"content": "x"}', headers=lines)

            assert_problem(response, "invalid-input", header("Idempotency-Key"))


@on_every_storage
@pytest.mark.parametrize(
    ("path", "content", "fields"),
    [
        pytest.param("/todo", b'{"content": "newer"}', {}, id="content"),
        pytest.param("/todo", b'{"content":"new"}', {}, id="bytes"),
        pytest.param("/todo", b'{"content": "new"}', _WISH, id="wish"),
        pytest.param("/todo/batch", _BATCH, {}, id="batch"),
        pytest.param("/todo/changes/1/undo", b"", {}, id="undo"),
    ],
)
def test_a_key_cannot_name_two_requests(
    client: TestClient, path: str, content: bytes, fields: dict[str, str]
) -> None:
    put(client, 7, "x")
    assert _post(client).status_code == 201

    with unchanged(client):
        response = _post(client, path, content, **fields)

    problem = assert_problem(response, "idempotency-key-reused")
    assert _KEY in problem["detail"]
    assert _post(client).status_code == 201


def test_a_slash_at_the_end_makes_no_other_request(client: TestClient) -> None:
    first = _post(client, "/todo")
    assert _comparable(_post(client, "/todo/")) == _comparable(first)


@pytest.mark.parametrize("prefer", ["", "return=minimal", "count=exact", "wait=7"])
def test_a_wish_that_makes_no_difference_makes_no_other_request(
    client: TestClient, prefer: str
) -> None:
    first = _post(client)

    assert _comparable(_post(client, Prefer=prefer)) == _comparable(first)


@on_every_storage
@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/todo", b'{"content": ""}', 422),
        ("/todo", b"{", 400),
        ("/todo/batch", _TAKEN, 409),
        ("/todo/changes/99/undo", b"", 404),
        ("/todo/changes/1/undo", b"", 409),
    ],
)
def test_a_request_that_fails_does_not_use_up_its_key(
    client: TestClient, path: str, content: bytes, status: int
) -> None:
    put(client, 7, "x")
    put(client, 7, "y")
    for _ in range(2):
        assert _post(client, path, content).status_code == status

    assert _post(client).status_code == 201
    assert contents(client.get("/todo")) == ["y", "new"]


@on_every_storage
def test_a_dry_run_does_not_use_up_its_key(client: TestClient) -> None:
    content = _batch({"op": "create", "entry": {"content": "x"}})

    for query in ("?dry_run=true", "?dry_run=true", ""):
        (change,) = _post(client, f"/todo/batch{query}", content).json()
        assert (change["revision"] is None) == bool(query)

    assert len(changes(client)) == 1


@on_every_storage
def test_an_undo_is_repeated_safely_even_after_it_was_undone(client: TestClient) -> None:
    put(client, 7, "x")
    put(client, 7, "y")
    first = _post(client, "/todo/changes/2/undo", b"")
    assert client.post("/todo/changes/3/undo").status_code == 200

    again = _post(client, "/todo/changes/2/undo", b"")

    assert _comparable(again) == _comparable(first)
    assert contents(client.get("/todo")) == ["y"]
