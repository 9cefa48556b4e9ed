"""What there is to tell about a request once it was answered."""

import re
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from starlette.requests import HTTPConnection
from starlette.types import Scope

from myapp.infrastructure.api.problems import path_of

_ID = re.compile(r"[0-9a-fA-F-]{36}")
_PATH_SHOWN = 100


class HandledRequest(NamedTuple):
    """A request and its answer, without anything of their content.

    `route` is the template of the path, such as `/todo/{id}`; None if no route was
    found, and then `path` has the beginning of the path. `status` is 0 if nothing was
    answered. `sent` counts the bytes of the answer's body.
    """

    method: str
    route: str | None
    path: str | None
    entry_id: str | None
    status: int
    seconds: float
    sent: int
    request_id: str
    trace_id: str | None
    client: str | None


class RequestObserver(Protocol):
    """Is told of every request, twice."""

    def begin(self) -> None:
        """Learn that a request has come."""

    def end(self, request: HandledRequest) -> None:
        """Learn that it was answered, or given up."""


class RequestName(NamedTuple):
    """What a request is found by: in the log of this service, and across services."""

    request_id: str
    trace_id: str | None


current_request: ContextVar[RequestName | None] = ContextVar("current_request", default=None)
"""The request that is being handled, and that whatever happens meanwhile belongs to."""


def told_of(
    scope: Scope, name: RequestName, status: int, sent: int, seconds: float
) -> HandledRequest:
    """Answer what may be told: a path may hold a tag, and what is no id may hold anything."""
    route = _route_of(scope)
    path = entry_id = None
    if route is None:
        path = _beginning(path_of(HTTPConnection(scope)))
    elif (given := scope["path_params"].get("id")) and _ID.fullmatch(given):
        entry_id = given
    client: tuple[str, int] | None = scope.get("client")
    return HandledRequest(
        scope["method"],
        route,
        path,
        entry_id,
        status,
        seconds,
        sent,
        name.request_id,
        name.trace_id,
        client[0] if client else None,
    )


def _route_of(scope: Scope) -> str | None:
    if "endpoint" not in scope:
        return None
    route: str = (
        scope["route"].path_format
        if "route" in scope
        else scope["app"].openapi_url  # which alone FastAPI does not tell of
    )
    return route


def _beginning(path: str) -> str:
    steps = path.split("/", 3)
    return "/".join([*steps[:3], "..."] if len(steps) > 3 else steps)[:_PATH_SHOWN]
