"""Paths: what is an id in them, and the URLs that are made of them."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Request
from starlette.convertors import StringConvertor, register_url_convertor

from myapp.infrastructure.api.todo_schema import EXAMPLE_ID, EntryId

Id = Annotated[
    EntryId,
    Path(description="The entry's id.", openapi_examples={"an id": {"value": EXAMPLE_ID}}),
]


class _EntryConvertor(StringConvertor):
    """Takes a segment for an id, right or wrong, unless it names what is beside the entries."""

    regex = "(?!(?:batch|changes|events)(?:/|$))[^/]+"


register_url_convertor("entry", _EntryConvertor())


def url_of(request: Request, path: str) -> str:
    """Answer the URL of a path, relative to the host and behind the prefix, if any."""
    prefix: str = request.scope.get("root_path", "")
    return prefix + path


def next_link(request: Request, path: str, **cursor: str | int) -> dict[str, str]:
    """Answer the header field that leads on: to the same query with this cursor."""
    parameters = request.query_params.multi_items()
    others = [(name, value) for name, value in parameters if name not in cursor]
    url = url_of(request, f"{path}?{urlencode([*others, *cursor.items()])}")
    return {"Link": f'<{url}>; rel="next"'}
