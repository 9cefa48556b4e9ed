"""Paths: how routes match them, what is an id in them, and the URLs that are made of them."""

import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Path, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import BaseRoute, Route

from myapp.infrastructure.api.remembering import remembering
from myapp.infrastructure.api.todo_schema import EXAMPLE_ID, EntryId

_POSITIONS = ("cursor", "since")
_CURSOR = re.compile(rb"[A-Za-z0-9_-]+")

Id = Annotated[
    EntryId,
    Path(description="The entry's id.", openapi_examples={"an id": {"value": EXAMPLE_ID}}),
]


class _EntryConvertor(StringConvertor):
    """Takes a segment for an id, right or wrong, unless it names what is beside the entries."""

    regex = "(?!(?:batch|changes|events)(?:/|$))[^/]+"


register_url_convertor("entry", _EntryConvertor())


def match_whole_paths(routes: Iterable[BaseRoute]) -> None:
    """Let routes take a line feed for a character like any other.

    Starlette's pass over one at the end of a path, and take none for a part of a parameter.
    """
    for route in routes:
        if isinstance(route, Route):
            pattern = route.path_regex.pattern.replace("$", r"\Z")
            route.path_regex = re.compile(pattern, re.DOTALL)


def url_of(request: Request, path: str) -> str:
    """Answer the URL of a path, relative to the host and behind the prefix, if any."""
    prefix: str = request.scope.get("root_path", "")
    return prefix + path


def split_cursor(query: bytes) -> tuple[bytes, str | None]:
    """Answer a query without the cursor at its end, and the cursor; None if there is none."""
    # A pattern of the whole would go back through each letter of the cursor.
    others, found, cursor = query.rpartition(b"cursor=")
    is_last = found and (not others or others.endswith(b"&")) and _CURSOR.fullmatch(cursor)
    return (others[:-1], cursor.decode("ascii")) if is_last else (query, None)


def cursor_of(request: Request) -> str | None:
    """Answer the cursor at the end of the query, None if there is none."""
    return split_cursor(request.scope["query_string"])[1]


@remembering
def _without_position(query: bytes) -> str:
    """Answer the beginning of a query that goes on with another position."""
    parameters = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    others = urlencode([item for item in parameters if item[0] not in _POSITIONS])
    return f"{others}&" if others else ""


def tell_next(response: Response, request: Request, path: str, **position: str | int) -> None:
    """Tell the client what leads on: to the same query from a position on.

    The position is a `cursor` or `since`.
    """
    rest, _ = split_cursor(request.scope["query_string"])
    ((name, value),) = position.items()
    url = url_of(request, f"{path}?{_without_position(rest)}{name}={value}")
    response.raw_headers.append((b"link", f'<{url}>; rel="next"'.encode("latin-1")))
