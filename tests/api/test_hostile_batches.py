"""Batches that break every rule there is."""

import json
from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Never
from uuid import UUID

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from myapp.domain.errors import InvalidValue
from myapp.domain.todo import TodoEntry
from tests.api.answers import (
    JSON,
    Problem,
    assert_problem,
    body,
    number,
    parameter,
    unchanged,
)
from tests.api.applications import build_app_on, open_client
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.realistic_entries import realistic_entries

_BATCH = "/todo/batch"
_SEVEN = number(7)


def _create(content: str, **members: object) -> dict[str, object]:
    return {"op": "create", "entry": {"content": content}, **members}


def _post(client: TestClient, *operations: object, query: str = "") -> Response:
    return client.post(f"{_BATCH}{query}", json={"operations": operations})


_MALFORMED: list[tuple[object, list[str]]] = [
    (None, ["#/operations/1"]),
    (7, ["#/operations/1"]),
    ("create", ["#/operations/1"]),
    ([], ["#/operations/1"]),
    ({}, ["#/operations/1/op"]),
    ({"op": None}, ["#/operations/1/op"]),
    ({"op": 7}, ["#/operations/1/op"]),
    ({"op": []}, ["#/operations/1/op"]),
    ({"op": {}}, ["#/operations/1/op"]),
    ({"op": ""}, ["#/operations/1/op"]),
    ({"op": "Create", "entry": {"content": "x"}}, ["#/operations/1/op"]),
    ({"op": "delete", "id": _SEVEN}, ["#/operations/1/op"]),
    ({"op": "create"}, ["#/operations/1/entry"]),
    ({"op": "create", "entry": None}, ["#/operations/1/entry"]),
    ({"op": "create", "entry": []}, ["#/operations/1/entry"]),
    ({"op": "create", "entry": {}}, ["#/operations/1/entry/content"]),
    (_create(" "), ["#/operations/1/entry/content"]),
    (_create("x", id=_SEVEN.replace("7", "A")), ["#/operations/1/id"]),
    (_create("x", id=7), ["#/operations/1/id"]),
    (_create("x", tag="a"), ["#/operations/1/tag"]),
    (_create("x", create={}), ["#/operations/1/create"]),
    (
        {"op": "create", "entry": {"content": 7, "id": _SEVEN, "tags": ["a", 7], "x": 1}},
        [
            "#/operations/1/entry/content",
            "#/operations/1/entry/id",
            "#/operations/1/entry/tags/1",
            "#/operations/1/entry/x",
        ],
    ),
    ({"op": "create", "entry": {"content": "x", "a/b~": 1}}, ["#/operations/1/entry/a~1b~0"]),
    ({"op": "put", "entry": {"content": "x"}}, ["#/operations/1/id"]),
    ({"op": "put", "id": _SEVEN, "entry": {"notes": "x"}}, ["#/operations/1/entry/content"]),
    (
        {"op": "patch", "id": None, "entry": {"content": None, "revision": 1}},
        [
            "#/operations/1/id",
            "#/operations/1/entry/content",
            "#/operations/1/entry/revision",
        ],
    ),
    ({"op": "remove", "id": _SEVEN, "entry": {}}, ["#/operations/1/entry"]),
    ({"op": "remove", "id": f"urn:uuid:{_SEVEN}"}, ["#/operations/1/id"]),
    ({"op": "tag", "id": _SEVEN}, ["#/operations/1/tag"]),
    ({"op": "tag", "id": _SEVEN, "tag": "a b"}, ["#/operations/1/tag"]),
    ({"op": "untag", "id": _SEVEN, "tag": ["a"]}, ["#/operations/1/tag"]),
    ({"op": "untag", "id": _SEVEN, "tag": "\0"}, ["#/operations/1/tag"]),
    ({"op": "remove", "id": _SEVEN, "\ud800": 1}, ["#/operations/1/%3F"]),
    (_create("\udfff"), ["#/operations/1/entry/content"]),
    (_create("x", id=float("nan")), ["#/operations/1/id"]),
    (_create("x", id=10**20), ["#/operations/1/id"]),
]


@pytest.mark.parametrize(("operation", "pointers"), _MALFORMED)
def test_what_is_no_operation_is_refused_with_its_place(
    shared_client: TestClient, operation: object, pointers: list[str]
) -> None:
    content = json.dumps({"operations": [_create("x"), operation]})

    with unchanged(shared_client):
        response = shared_client.post(_BATCH, content=content, headers=JSON)

        assert_problem(response, "invalid-input", *map(body, pointers))


def test_what_is_wrong_with_several_operations_is_told_together(
    shared_client: TestClient,
) -> None:
    response = _post(shared_client, 7, _create("x"), {"op": "remove"}, _create("", x=1))

    pointers = [
        "#/operations/0",
        "#/operations/2/id",
        "#/operations/3/entry/content",
        "#/operations/3/x",
    ]
    assert_problem(response, "invalid-input", *map(body, pointers))


def test_an_operation_names_what_it_may_be(shared_client: TestClient) -> None:
    problem: Problem = _post(shared_client, {"op": "destroy"}).json()

    (error,) = problem["errors"]
    for name in ("create", "put", "patch", "remove", "tag", "untag"):
        assert f"'{name}'" in error["detail"]


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ("[]", "#"),
        ("null", "#"),
        ('"operations"', "#"),
        ("{}", "#/operations"),
        ('{"operations": null}', "#/operations"),
        ('{"operations": {}}', "#/operations"),
        ('{"operations": []}', "#/operations"),
        ('{"operations": [], "operations": []}', "#/operations"),
        ('{"operations": [{"op": "x", "op": "remove"}]}', "#/operations/0/op"),
        (f'{{"operations": [{", ".join(["null"] * 1_001)}]}}', "#/operations"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(
    shared_client: TestClient, content: str, pointer: str
) -> None:
    response = shared_client.post(_BATCH, content=content, headers=JSON)

    assert_problem(response, "invalid-input", body(pointer))


def test_a_member_beside_the_operations_is_refused(shared_client: TestClient) -> None:
    content = {"operations": [_create("x")], "dry_run": True}

    with unchanged(shared_client):
        response = shared_client.post(_BATCH, json=content)

        assert_problem(response, "invalid-input", body("#/dry_run"))


@pytest.mark.parametrize(
    ("content", "headers", "slug"),
    [
        (b"", JSON, "malformed-request"),
        (b"{", JSON, "malformed-request"),
        (b'{"operations": ' + b"[" * 60_000, JSON, "malformed-request"),
        (b'{"operations": ["' + b"x" * 2**20 + b'"]}', JSON, "content-too-large"),
        (b'{"operations": []}', {"Content-Type": "text/plain"}, "unsupported-media-type"),
        (b'{"operations": []}', {}, "unsupported-media-type"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_everywhere(
    shared_client: TestClient, content: bytes, headers: dict[str, str], slug: str
) -> None:
    with unchanged(shared_client):
        response = shared_client.post(_BATCH, content=content, headers=headers)

        assert_problem(response, slug)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("dry_run=", "dry_run"),
        ("dry_run=1", "dry_run"),
        ("dry_run=True", "dry_run"),
        ("dry_run=true%20", "dry_run"),
        ("dry_run=true&dry_run=true", "dry_run"),
        ("dryrun=true", "dryrun"),
        ("dry-run=true", "dry-run"),
        ("DRY_RUN=true", "DRY_RUN"),
    ],
)
def test_a_dry_run_that_is_misspelled_is_none_and_changes_nothing(
    shared_client: TestClient, query: str, name: str
) -> None:
    with unchanged(shared_client):
        response = _post(shared_client, _create("x"), query=f"?{query}")

        assert_problem(response, "invalid-input", parameter(name))


class _LastingTodoEntry(TodoEntry):
    """Refuses to be removed."""

    def remove(self, *, at: datetime) -> Never:
        raise InvalidValue("removed_at", f"must not be set, not even to {at}")


class _LastingTodoEntryRepository(InMemoryTodoEntryRepository):
    """Holds such an entry under every id."""

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        (entry,) = realistic_entries(1)
        values = {field.name: getattr(entry, field.name) for field in fields(entry)}
        return dict.fromkeys(entry_ids, _LastingTodoEntry(**values))


def test_what_the_entry_itself_refuses_is_told_with_the_operation() -> None:
    operations = ({"op": "remove", "id": number(digits)} for digits in (7, 8))
    with open_client(build_app_on(_LastingTodoEntryRepository())) as client:
        problem = assert_problem(
            _post(client, *operations), "invalid-input", body("#/operations/0")
        )

    assert problem["operation"] == 0
