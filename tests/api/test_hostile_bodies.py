"""Bodies that break every rule there is: each has its answer, none leaves a trace."""

import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient
from starlette.types import Message

from tests.api.answers import (
    JSON,
    Place,
    assert_problem,
    body,
    get,
    number,
    put,
    unchanged,
)
from tests.api.applications import exchange, open_async_client

_PATH = f"/todo/{number(7)}"
_OPERATIONS = [("POST", "/todo"), ("PUT", _PATH), ("PATCH", _PATH)]
_MOST = 1_048_576

_DIGITS = b"9" * 5_000
_LONG = "n" * 5_000


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client of an application that holds two entries, and maybe more."""
    put(shared_client, 7, "buy oat milk", tags=["home"], notes="two litres", done=True)
    put(shared_client, 8, "another one", tags=["shop"], due="2026-12-24")
    return shared_client


def _send(client: TestClient, content: bytes, media_type: str | None) -> Iterator[Response]:
    headers = {} if media_type is None else {"Content-Type": media_type}
    with unchanged(client):
        for method, path in _OPERATIONS:
            yield client.request(method, path, content=content, headers=headers)


@pytest.mark.parametrize(
    ("content", "places"),
    [
        # lone surrogates
        (rb'{"content": "\ud800"}', ["#/content"]),
        (rb'{"content": "a\udfffb"}', ["#/content"]),
        (rb'{"content": "\udc00\ud800"}', ["#/content"]),
        (rb'{"content": "x", "notes": "a\n\udbff"}', ["#/notes"]),
        (rb'{"content": "x", "tags": ["a", "\ud83e"]}', ["#/tags/1"]),
        (rb'{"content": "x", "priority": "\ud83e"}', ["#/priority"]),
        (rb'{"content": "x", "due": "\ud83e"}', ["#/due"]),
        (rb'{"content": "x", "done": "\ud83e"}', ["#/done"]),
        (rb'{"content": "x", "\ud800": 1}', ["#/%3F"]),
        (rb'{"content": "x", "revision": {"a": [1, "\ud800"]}}', ["#/revision/a/1"]),
        (rb'{"content": "x", "revision": {"a": [1, "\uD800"]}}', ["#/revision/a/1"]),
        # numbers that are none
        (b'{"content": NaN}', ["#/content"]),
        (b'{"content": "x", "done": Infinity}', ["#/done"]),
        (b'{"content": "x", "tags": ["a", -Infinity]}', ["#/tags/1"]),
        (b'{"content": "x", "revision": NaN}', ["#/revision"]),
        (b"NaN", ["#"]),
        (b"[-Infinity]", ["#/0"]),
        # numbers out of range
        (b'{"content": 1e400}', ["#/content"]),
        (b'{"content": "x", "done": -1e400}', ["#/done"]),
        (b'{"content": "x", "revision": 1e999999999}', ["#/revision"]),
        (b'{"content": "x", "revision": %s}' % _DIGITS, ["#/revision"]),
        (b'{"content": "x", "revision": -%s}' % _DIGITS, ["#/revision"]),
        (b'{"content": "x", "due": 0.%s}' % _DIGITS, ["#/due"]),
        (b'{"content": %s}' % _DIGITS, ["#/content"]),
        (b'{"content": "x", "due": 9223372036854775808}', ["#/due"]),
        (b"%s" % _DIGITS, ["#"]),
        # duplicate keys
        (b'{"content": "a", "content": "b"}', ["#/content"]),
        (b'{"content": "a", "content": "a"}', ["#/content"]),
        (rb'{"content": "a", "c\u006fntent": "b"}', ["#/content"]),
        (b'{"content": "a", "done": true, "done": true, "done": true}', ["#/done"]),
        (b'{"content": "a", "revision": {"b": 1, "b": 2}}', ["#/revision/b"]),
        (b'{"content": "a", "tags": ["c", {"b": 1, "b": 2}]}', ["#/tags/1/b"]),
        (b'{"content": "a", "x": 1, "x": 2, "y": 1, "y": 2}', ["#/x", "#/y"]),
        (b'{"": 1, "": 2, "content": "a"}', ["#/"]),
        (b'[{"b": 1, "b": 2}]', ["#/0/b"]),
        # control characters
        (rb'{"content": "a\u0000b"}', ["#/content"]),
        (rb'{"content": "\u0000"}', ["#/content"]),
        (rb'{"content": "a\u001b[31m"}', ["#/content"]),
        (rb'{"content": "a\bb"}', ["#/content"]),
        (rb'{"content": "a\fb"}', ["#/content"]),
        (rb'{"content": "a\u000bb"}', ["#/content"]),
        (rb'{"content": "a\u007f"}', ["#/content"]),
        (rb'{"content": "a\u0085b"}', ["#/content"]),
        (rb'{"content": "a\u009f"}', ["#/content"]),
        (b'{"content": "a\x7fb"}', ["#/content"]),
        (b'{"content": "a\xc2\x80b"}', ["#/content"]),
        (rb'{"content": "x", "notes": "a\u0000"}', ["#/notes"]),
        (rb'{"content": "x", "notes": "a\u000bb"}', ["#/notes"]),
        (rb'{"content": "x", "tags": ["\u0000"]}', ["#/tags/0"]),
        (rb'{"content": "x", "tags": ["a", "b\u001f"]}', ["#/tags/1"]),
        # more than one line
        (rb'{"content": "a\nb"}', ["#/content"]),
        (rb'{"content": "a\rb"}', ["#/content"]),
        (rb'{"content": "a\r\nb"}', ["#/content"]),
        (rb'{"content": "a\tb"}', ["#/content"]),
        (rb'{"content": "a\u2028b"}', ["#/content"]),
        (rb'{"content": "a\u2029b"}', ["#/content"]),
        # nothing
        (b'{"content": ""}', ["#/content"]),
        (b'{"content": " \xc2\xa0"}', ["#/content"]),
        (rb'{"content": "\n\t"}', ["#/content"]),
        (b'{"content": null}', ["#/content"]),
        (b'{"content": "x", "tags": [""]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": [" "]}', ["#/tags/0"]),
        # wrong types
        (b'{"content": 7}', ["#/content"]),
        (b'{"content": true}', ["#/content"]),
        (b'{"content": ["x"]}', ["#/content"]),
        (b'{"content": {"content": "x"}}', ["#/content"]),
        (b'{"content": "x", "notes": 7}', ["#/notes"]),
        (b'{"content": "x", "notes": ["a"]}', ["#/notes"]),
        (b'{"content": "x", "done": "true"}', ["#/done"]),
        (b'{"content": "x", "done": 1}', ["#/done"]),
        (b'{"content": "x", "done": 0}', ["#/done"]),
        (b'{"content": "x", "done": 1.0}', ["#/done"]),
        (b'{"content": "x", "done": "yes"}', ["#/done"]),
        (b'{"content": "x", "done": []}', ["#/done"]),
        (b'{"content": "x", "priority": "HIGH"}', ["#/priority"]),
        (b'{"content": "x", "priority": ""}', ["#/priority"]),
        (b'{"content": "x", "priority": 1}', ["#/priority"]),
        (b'{"content": "x", "priority": true}', ["#/priority"]),
        (b'{"content": "x", "priority": ["high"]}', ["#/priority"]),
        (b'{"content": "x", "tags": "home"}', ["#/tags"]),
        (b'{"content": "x", "tags": {"home": 1}}', ["#/tags"]),
        (b'{"content": "x", "tags": {}}', ["#/tags"]),
        (b'{"content": "x", "tags": 7}', ["#/tags"]),
        (b'{"content": "x", "tags": false}', ["#/tags"]),
        (b'{"content": "x", "tags": [7]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": ["a", null]}', ["#/tags/1"]),
        (b'{"content": "x", "tags": [["a"]]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": [true, "a", 1]}', ["#/tags/0", "#/tags/2"]),
        (b'{"content": "x", "due": "7"}', ["#/due"]),
        (b'{"content": "x", "due": 7}', ["#/due"]),
        # not an object
        (b"[]", ["#"]),
        (b'[{"content": "x"}]', ["#"]),
        (b'["content", "x"]', ["#"]),
        (b'[["content", "x"]]', ["#"]),
        (b'"content"', ["#"]),
        (b'""', ["#"]),
        (b"null", ["#"]),
        (b"true", ["#"]),
        (b"7", ["#"]),
        (b"-0.5e-3", ["#"]),
        # tags that are no tags
        (b'{"content": "x", "tags": ["a b"]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": ["a,b"]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": ["a/b"]}', ["#/tags/0"]),
        (rb'{"content": "x", "tags": ["a\\b"]}', ["#/tags/0"]),
        (rb'{"content": "x", "tags": ["a\nb"]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": ["."]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": [".."]}', ["#/tags/0"]),
        (b'{"content": "x", "tags": [" .. "]}', ["#/tags/0"]),
        ('{"content": "x", "tags": ["a\u3000b"]}'.encode(), ["#/tags/0"]),
        # unknown fields with odd names
        (b'{"content": "x", "colour": 1}', ["#/colour"]),
        (b'{"content": "x", "Content": "y"}', ["#/Content"]),
        (b'{"content": "x", "content ": "y"}', ["#/content%20"]),
        (b'{"content": "x", "": 1}', ["#/"]),
        (b'{"content": "x", "a/b": 1}', ["#/a~1b"]),
        (b'{"content": "x", "~": 1}', ["#/~0"]),
        (b'{"content": "x", "~1/~0": 1}', ["#/~01~1~00"]),
        (b'{"content": "x", "a%2Fb": 1}', ["#/a%252Fb"]),
        (b'{"content": "x", "#": 1}', ["#/%23"]),
        (b'{"content": "x", "\xc3\xbc": 1}', ["#/%C3%BC"]),
        (rb'{"content": "x", "\u0000\n": 1}', ["#/%00%0A"]),
        (rb'{"content": "x", "\"": 1}', ["#/%22"]),
        (b'{"content": "x", "__proto__": {}}', ["#/__proto__"]),
        (b'{"content": "x", "__class__": "y"}', ["#/__class__"]),
        (b'{"content": "x", "model_config": {}}', ["#/model_config"]),
        (b'{"content": "x", "removed_at": null}', ["#/removed_at"]),
        (b'{"content": "x", "%s": 1}' % _LONG.encode(), [f"#/{_LONG[:200]}"]),
        (b'{"content": "x", "1": 1, "0": 1}', ["#/0", "#/1"]),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_with_its_place(
    client: TestClient, content: bytes, places: list[str]
) -> None:
    expected: list[Place] = [body(place) for place in places]

    for response in _send(client, content, "application/json"):
        assert_problem(response, "invalid-input", *expected)


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("content", "x" * 1_001, "#/content"),
        ("content", "😀" * 1_001, "#/content"),
        ("content", "é" * 1_001, "#/content"),
        ("content", "e\u0301" * 1_001, "#/content"),
        ("content", "\u0958" * 501, "#/content"),  # two code points each, once normalised
        ("content", " " + "x" * 1_001, "#/content"),
        ("content", "x" * 1_000_000, "#/content"),
        ("content", "\u0301" * 100_000, "#/content"),
        ("notes", "x" * 16_001, "#/notes"),
        ("notes", "x\n" * 8_000 + "xx", "#/notes"),
        ("notes", "e\u0301" * 16_001, "#/notes"),
        ("notes", "e" + "\u0301" * 15_999, "#/notes"),
        ("notes", ("e" + "\u0301\u0323" * 500) * 15, "#/notes"),
        ("notes", "e" + "\u0315\u0323" * 31_000, "#/notes"),
        ("notes", "\u0958" * 8_001, "#/notes"),
        ("notes", "x" * 1_000_000, "#/notes"),
        ("tags", ["x" * 61], "#/tags/0"),
        ("tags", ["x" * 60, "😀" * 61], "#/tags/1"),
        ("tags", ["x" * 1_000_000], "#/tags/0"),
        ("tags", ["e" + "\u0301" * 100_000], "#/tags/0"),
        ("tags", [f"{n}" for n in range(101)], "#/tags"),
        ("tags", [f"{n}" for n in range(10_000)], "#/tags"),
        ("due", "2" * 100_000, "#/due"),
        ("priority", "high" * 100_000, "#/priority"),
    ],
)
def test_too_much_of_anything_is_refused_with_its_place(
    client: TestClient, field: str, value: object, place: str
) -> None:
    content = json.dumps({"content": "x"} | {field: value}, ensure_ascii=False).encode()

    for response in _send(client, content, "application/json"):
        assert_problem(response, "invalid-input", body(place))
        assert len(response.content) < 2_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"\n",
        b"{",
        b'{"content": "x"',
        b'{"content": "x',
        b'{"content": "x"}}',
        b'{"content": "x"} {}',
        b'{"content": "x"}\x00',
        b'{"content": "x",}',
        b'{"content": "x" "notes": "y"}',
        b'{"content"= "x"}',
        b"{content: 'x'}",
        b"{'content': 'x'}",
        b'{"content": "x"} // note',
        b'/* note */ {"content": "x"}',
        b'{"content": undefined}',
        b'{"content": 0x10}',
        b'{"content": 01}',
        b'{"content": +1}',
        b'{"content": .5}',
        b'{"content": 1.}',
        b'{"content": True}',
        b'{"content": None}',
        b'{"content": nan}',
        b'{"content": "\\x41"}',
        b'{"content": "\\u12"}',
        b'{"content": "\\u12G4"}',
        b'{"content": "a\nb"}',
        b'{"content": "a\x00b"}',
        b'{"content": "a\x1fb"}',
        b"content=x",
        b"<entry/>",
        b"x",
        "{“content”: “x”}".encode(),
        # not UTF-8
        b'{"content": "\xff"}',
        b'{"content": "\xc0\xaf"}',
        b'{"content": "\xed\xa0\x80"}',
        b'{"content": "\xf4\x90\x80\x80"}',
        b'{"content": "\xe2\x82"}',
        b'{"content": "x"}\xff',
        b"\xff",
        '{"content": "ü"}'.encode("latin-1"),
        '{"content": "x"}'.encode("utf-16"),
        '{"content": "x"}'.encode("utf-16-le"),
        '{"content": "x"}'.encode("utf-32"),
        b'\xef\xbb\xbf{"content": "x"}',  # a byte order mark: RFC 8259, 8.1
        # nested deeper than any entry
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"content": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b'{"content": "x", "revision": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 900 + b"]" * 900,
    ],
)
def test_what_is_not_json_is_malformed(client: TestClient, content: bytes) -> None:
    for response in _send(client, content, "application/json"):
        assert_problem(response, "malformed-request")


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        " ",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/json",
        "text/html",
        "application/octet-stream",
        "application/xml",
        "application/jsonx",
        "application/x-json",
        "application/jsonl",
        "application/json-seq",
        "application",
        "json",
        "/json",
        "application/",
        "application/json/x",
        "image/svg+json",
        "*/*",
        "text/plain; application/json",
        "text/plain, application/json",
        "x" * 5_000,
        ";;;=;",
        '"application/json"',
    ],
)
def test_a_body_not_declared_as_json_is_told_which_option_of_curl_is_missing(
    client: TestClient, media_type: str | None
) -> None:
    for response in _send(client, b'{"content": "x"}', media_type):
        problem = assert_problem(response, "unsupported-media-type")
        assert '-H "Content-Type: application/json"' in problem["detail"]
        assert len(problem["detail"]) < 400


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "json", "text"],
)
def test_the_media_type_declared_is_repeated(client: TestClient, media_type: str) -> None:
    response = client.post("/todo", content=b"{}", headers={"Content-Type": media_type})

    problem = assert_problem(response, "unsupported-media-type")
    assert f"declared as {media_type};" in problem["detail"]


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json;",
        " application/json ",
        "application/vnd.example+json",
        "application/ld+json; profile=x",
    ],
)
def test_any_kind_of_json_will_do(client: TestClient, media_type: str) -> None:
    headers = {"Content-Type": media_type}

    for method, path in _OPERATIONS:
        response = client.request(method, path, content=b'{"content": "x"}', headers=headers)
        assert response.is_success, response.text


def test_the_body_is_not_looked_at_before_its_media_type(client: TestClient) -> None:
    for response in _send(client, b"\xff" * (_MOST + 1), "text/plain"):
        assert_problem(response, "unsupported-media-type")


def _sized(size: int) -> bytes:
    return b'{"content": "x", "notes": "padded"}'.ljust(size)


def test_a_body_of_a_mebibyte_is_taken(client: TestClient) -> None:
    for method, path in _OPERATIONS:
        response = client.request(method, path, content=_sized(_MOST), headers=JSON)
        assert response.request.headers["Content-Length"] == "1048576"
        assert response.is_success, response.text
    assert get(client, number(7))["notes"] == "padded"


def test_a_body_with_a_byte_more_is_too_large(client: TestClient) -> None:
    for response in _send(client, _sized(_MOST + 1), "application/json"):
        problem = assert_problem(response, "content-too-large")
        assert "1048576" in problem["detail"]


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]


async def test_a_body_in_pieces_of_a_mebibyte_in_all_is_taken(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        response = await http.post("/todo", content=_chunks(_sized(_MOST)), headers=JSON)

        assert "Content-Length" not in response.request.headers
        assert response.status_code == 201


async def test_a_body_in_pieces_with_a_byte_more_is_too_large(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        for method, path in _OPERATIONS:
            content = _chunks(_sized(_MOST + 1))
            response = await http.request(method, path, content=content, headers=JSON)
            assert_problem(response, "content-too-large")

        assert (await http.get("/todo")).json() == []


async def test_a_body_without_end_is_not_read_to_its_end(app: FastAPI) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 10_000

    async with open_async_client(app) as http:
        response = await http.post("/todo", content=endless(), headers=JSON)

        assert_problem(response, "content-too-large")


async def test_a_body_that_breaks_off_is_no_failure_of_the_service(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    part: Message = {"type": "http.request", "body": b'{"content": "x"}', "more_body": True}
    gone: Message = {"type": "http.disconnect"}

    with caplog.at_level(logging.INFO, "myapp"):
        start, *_ = await exchange(app, "POST", "/todo", part, gone, headers=JSON)

    assert start["status"] == 400
    assert not caplog.records
    async with open_async_client(app) as http:
        assert (await http.get("/todo")).json() == []


async def test_a_body_in_the_smallest_pieces_is_put_together(app: FastAPI) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in '{"content": "Grüße 🦷"}'.encode():
            yield bytes([byte])

    async with open_async_client(app) as http:
        response = await http.post("/todo", content=pieces(), headers=JSON)

        assert response.status_code == 201
        (entry,) = (await http.get("/todo")).json()
        assert entry["content"] == "Grüße 🦷"


@pytest.mark.parametrize(
    "content",
    [
        b'{"content": "x", %s}' % b", ".join(b'"%d": 1' % n for n in range(10_000)),
        b'{"content": "x", "tags": [%s]}' % b", ".join([b"7"] * 10_000),
        b'{"content": "x", "tags": [%s]}' % b", ".join([b"NaN"] * 10_000),
        b"{%s}" % b", ".join([b'"a": 1'] * 10_000),
    ],
)
def test_of_very_many_mistakes_only_some_are_told(client: TestClient, content: bytes) -> None:
    for response in _send(client, content, "application/json"):
        assert response.status_code == 422
        assert 1 <= len(response.json()["errors"]) <= 100


def test_a_name_of_a_field_is_no_way_into_a_log_or_a_page(client: TestClient) -> None:
    content = json.dumps({"content": "x", "<script>\n\x1b": 1}).encode()

    for response in _send(client, content, "application/json"):
        problem = assert_problem(response, "invalid-input", body("#/%3Cscript%3E%0A%1B"))
        assert problem["detail"].isprintable()
