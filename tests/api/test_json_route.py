"""Routes that serve JSON by themselves: what FastAPI would do, they do the same."""

import json
from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, BackgroundTasks, Cookie, Depends
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.api.entry_json import entries_json, entry_json
from myapp.infrastructure.api.json_route import JsonRoute
from myapp.infrastructure.api.todo_schema import TodoEntrySchema
from tests.api.answers import assert_any_problem
from tests.contract.entries import LATER
from tests.contract.entries import entries as some_entries
from tests.contract.entries import new_entry

_ENTRY = TypeAdapter(TodoEntrySchema)


@given(st.lists(some_entries))
def test_entries_are_answered_as_the_schema_has_them(entries: list[TodoEntry]) -> None:
    by_schema = [
        _ENTRY.dump_json(_ENTRY.validate_python(entry, from_attributes=True))
        for entry in entries
    ]
    assert [entry_json(entry) for entry in entries] == by_schema
    assert entries_json(entries) == b"[%b]" % b",".join(by_schema)


def test_a_page_that_comes_again_shows_what_has_changed_within_it() -> None:
    first, middle, last = (new_entry(name).stored(i) for i, name in enumerate("abc", 1))
    for _ in range(3):
        page = entries_json([first, middle, last])
        assert [entry["content"] for entry in json.loads(page)] == ["a", "b", "c"]
    changed = middle.change(at=LATER, content="other").stored(4)
    for _ in range(3):
        page = entries_json([first, changed, last])
        assert [entry["content"] for entry in json.loads(page)] == ["a", "other", "c"]


async def _takes_a_cookie(choice: str = Cookie()) -> str:
    return choice


async def _takes_tasks(tasks: BackgroundTasks) -> str:
    return str(tasks)


def _blocks() -> str:
    return "while others wait"


async def _is_waited_for() -> str:
    return "by whom"


async def _waits(other: Annotated[str, Depends(_is_waited_for)]) -> str:
    return other


@pytest.mark.parametrize("function", [_takes_a_cookie, _takes_tasks, _blocks, _waits])
def test_what_such_a_route_would_not_do_is_refused_at_the_start(
    function: Callable[..., object],
) -> None:
    router = APIRouter(route_class=JsonRoute)
    with pytest.raises(TypeError, match="cannot be (called|depended on)"):
        router.get("/")(function)


@pytest.mark.parametrize("path", ["/todo/{id:entry}", "/todo/{id}", "/todo/%7Bid%7D/changes"])
def test_the_template_of_a_path_is_no_path(client: TestClient, path: str) -> None:
    problem = assert_any_problem(client.get(path))
    assert problem["errors"][0]["parameter"] == "id"
