"""POST /todo/batch: many operations, all of them or none."""

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.api.answers import (
    Change,
    assert_problem,
    changes,
    get,
    number,
    put,
    unchanged,
)
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

_BATCH = "/todo/batch"
_SEVEN, _EIGHT, _NINE = number(7), number(8), number(9)

Operation = dict[str, object]


def _create(content: str, **members: object) -> Operation:
    return {"op": "create", "entry": {"content": content}, **members}


def _post(client: TestClient, *operations: object, query: str = "") -> Response:
    return client.post(f"{_BATCH}{query}", json={"operations": operations})


def _carry_out(client: TestClient, *operations: Operation, query: str = "") -> list[Change]:
    response = _post(client, *operations, query=query)
    assert response.status_code == 200, response.text
    made: list[Change] = response.json()
    return made


def _told(made: list[Change]) -> list[tuple[str, str]]:
    return [(change["kind"], change["id"]) for change in made]


@pytest.mark.parametrize(
    ("operation", "kind", "expected"),
    [
        (
            {"op": "put", "id": _SEVEN, "entry": {"content": "new"}},
            "reopened",
            {"content": "new", "tags": [], "done": False},
        ),
        (
            {"op": "patch", "id": _SEVEN, "entry": {"notes": "n", "tags": None}},
            "edited",
            {"content": "old", "notes": "n", "tags": [], "done": True},
        ),
        ({"op": "tag", "id": _SEVEN, "tag": "a"}, "edited", {"tags": ["a", "home"]}),
        ({"op": "untag", "id": _SEVEN, "tag": "home"}, "edited", {"tags": []}),
    ],
)
def test_an_operation_changes_the_entry(
    client: TestClient, operation: Operation, kind: str, expected: dict[str, object]
) -> None:
    put(client, 7, "old", tags=["home"], done=True)

    (change,) = _carry_out(client, operation)

    entry = get(client, _SEVEN)
    assert expected.items() <= dict(entry).items()
    assert change["kind"] == kind
    assert change["entry"] == entry
    assert changes(client, "/todo/changes?since=1") == [change]


def test_an_operation_removes_the_entry(client: TestClient) -> None:
    put(client, 7, "x")

    (change,) = _carry_out(client, {"op": "remove", "id": _SEVEN})

    assert (change["kind"], change["entry"]) == ("removed", None)
    assert client.get(f"/todo/{_SEVEN}").status_code == 404


def test_entries_are_created_under_ids_of_the_service_or_of_the_client(
    client: TestClient,
) -> None:
    made = _carry_out(
        client,
        _create("a"),
        _create("b", id=_SEVEN),
        {"op": "put", "id": _EIGHT, "entry": {"content": "c", "id": "ignored"}},
        _create("d", id=None),
    )

    ids = [change["id"] for change in made]
    assert [change["kind"] for change in made] == ["added"] * 4
    assert ids[1:3] == [_SEVEN, _EIGHT]
    assert [get(client, entry_id)["content"] for entry_id in ids] == ["a", "b", "c", "d"]


def test_what_one_operation_does_those_after_it_see(client: TestClient) -> None:
    (change,) = _carry_out(
        client,
        _create("x", id=_SEVEN),
        {"op": "tag", "id": _SEVEN, "tag": "home"},
        {"op": "patch", "id": _SEVEN, "entry": {"done": True}},
        {"op": "tag", "id": _SEVEN, "tag": "a"},
        {"op": "untag", "id": _SEVEN, "tag": "home"},
    )

    assert change["kind"] == "added"
    assert change["entry"] == get(client, _SEVEN)
    assert (change["entry"]["tags"], change["entry"]["done"]) == (["a"], True)
    assert len(changes(client)) == 1


def test_there_is_a_change_for_each_entry_in_the_order_they_were_first_touched(
    client: TestClient,
) -> None:
    for digits in (7, 8, 9):
        put(client, digits, "x")

    made = _carry_out(
        client,
        {"op": "tag", "id": _EIGHT, "tag": "a"},
        {"op": "remove", "id": _SEVEN},
        {"op": "patch", "id": _EIGHT, "entry": {"done": True}},
        {"op": "tag", "id": _NINE, "tag": "a"},
    )

    assert _told(made) == [("completed", _EIGHT), ("removed", _SEVEN), ("edited", _NINE)]
    assert changes(client, "/todo/changes?since=3") == made


def test_what_is_the_same_in_the_end_has_not_changed(client: TestClient) -> None:
    put(client, 7, "x", tags=["home"])

    with unchanged(client):
        made = _carry_out(
            client,
            {"op": "tag", "id": _SEVEN, "tag": "home"},
            {"op": "patch", "id": _SEVEN, "entry": {}},
            {"op": "tag", "id": _SEVEN, "tag": "a"},
            {"op": "untag", "id": _SEVEN, "tag": "a"},
            _create("gone again", id=_EIGHT),
            {"op": "remove", "id": _EIGHT},
        )

    assert made == []


def test_an_entry_that_is_removed_can_be_created_anew(client: TestClient) -> None:
    put(client, 7, "old")

    (change,) = _carry_out(client, {"op": "remove", "id": _SEVEN}, _create("new", id=_SEVEN))

    assert change["kind"] == "edited"
    assert get(client, _SEVEN)["content"] == "new"


def test_a_thousand_operations_are_carried_out_together(client: TestClient) -> None:
    made = _carry_out(client, *(_create(f"{index}") for index in range(1_000)))

    assert len(made) == 1_000
    revisions = [change["revision"] for change in made]
    assert revisions == list(range(1, 1_001))
    assert len(client.get("/todo?limit=1000").json()) == 1_000


_FAILURES = [
    pytest.param({"op": "patch", "id": _NINE, "entry": {}}, "todo-entry-not-found", id="patch"),
    pytest.param({"op": "remove", "id": _NINE}, "todo-entry-not-found", id="remove"),
    pytest.param({"op": "tag", "id": _NINE, "tag": "a"}, "todo-entry-not-found", id="tag"),
    pytest.param({"op": "untag", "id": _NINE, "tag": "a"}, "todo-entry-not-found", id="untag"),
    pytest.param(_create("x", id=_SEVEN), "id-taken", id="create"),
    pytest.param(_create("x", id=_EIGHT), "id-taken", id="create again"),
    pytest.param({"op": "tag", "id": _SEVEN, "tag": "new"}, "too-many-tags", id="tags"),
]


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
@pytest.mark.parametrize(("failing", "slug"), _FAILURES)
def test_if_one_operation_fails_nothing_is_stored_and_it_is_named(
    client: TestClient, failing: Operation, slug: str, query: str
) -> None:
    put(client, 7, "x", tags=[f"{index}" for index in range(100)])
    operations = [
        {"op": "patch", "id": _SEVEN, "entry": {"done": True}},
        _create("y", id=_EIGHT),
        failing,
        {"op": "remove", "id": _NINE},
    ]

    with unchanged(client):
        problem = assert_problem(_post(client, *operations, query=query), slug)

    assert problem["operation"] == 2
    assert problem["detail"].startswith("Operation 2: ")


def test_an_entry_that_the_batch_removed_is_not_found(client: TestClient) -> None:
    put(client, 7, "x")
    removal = {"op": "remove", "id": _SEVEN}

    problem = assert_problem(_post(client, removal, removal), "todo-entry-not-found")

    assert problem["operation"] == 1
    assert get(client, _SEVEN)["content"] == "x"


def test_a_dry_run_answers_what_would_change_and_changes_nothing(client: TestClient) -> None:
    put(client, 7, "x")
    put(client, 8, "gone soon")
    operations: list[Operation] = [
        {"op": "patch", "id": _SEVEN, "entry": {"done": True}},
        {"op": "remove", "id": _EIGHT},
        _create("new", id=_NINE),
    ]

    with unchanged(client):
        planned = _carry_out(client, *operations, query="?dry_run=true")
    made = _carry_out(client, *operations, query="?dry_run=false")

    assert [change["revision"] for change in planned] == [None] * 3
    assert _told(planned) == _told(made)
    assert planned[1]["entry"] is None
    assert planned[0]["entry"] and planned[0]["entry"]["revision"] == 1
    assert planned[2]["entry"] and planned[2]["entry"]["revision"] == 0
    for planned_change, change in zip(planned, made, strict=True):
        assert (planned_change["entry"] or {}).keys() == (change["entry"] or {}).keys()
