"""What surrounds every request, as plain ASGI."""

import logging
import re
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from time import perf_counter

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myapp.infrastructure.api.handled_request import (
    HandledRequest,
    RequestName,
    RequestObserver,
    current_request,
)
from myapp.infrastructure.api.problems import (
    INTERNAL_ERROR,
    OVERLOADED,
    STOPPING,
    Rejection,
    path_of,
    problem_response,
)

_SANE_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
_ID = re.compile(r"[0-9a-fA-F-]{36}")
_PATH_SHOWN = 100

_STOPPING = "The service is stopping and did not wait for this request to end."

_NO_MEMORY = "There was no memory left for this request."

_log = logging.getLogger(__name__)


class RequestObservation:
    """Names each request, tells observers of it, and answers 5xx where nothing else did.

    The name is the client's X-Request-Id if that is a sane token, and goes back to it.
    """

    def __init__(
        self,
        app: ASGIApp,
        observers: Sequence[RequestObserver],
        trace_id_of: Callable[[Mapping[bytes, bytes]], str | None],
    ) -> None:
        self._app = app
        self._observers = observers
        self._trace_id_of = trace_id_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = perf_counter()
        for observer in self._observers:
            observer.begin()
        method: str = scope["method"]
        name = self._name(scope)
        current_request.set(name)
        named = (b"x-request-id", name.request_id.encode("ascii"))
        status = sent = 0

        async def send_named(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], named]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except (Exception, CancelledError) as error:  # or the client would hear nothing
            if status:
                raise
            response = problem_response(HTTPConnection(scope), _rejection(error))
            await response(scope, receive, send_named)
        finally:
            seconds = perf_counter() - begin
            handled = _handled(scope, name, method, status, seconds, sent)
            for observer in self._observers:
                observer.end(handled)

    def _name(self, scope: Scope) -> RequestName:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        is_sane = given is not None and _SANE_TOKEN.fullmatch(given)
        request_id = given.decode("ascii") if given and is_sane else token_hex(8)
        return RequestName(request_id, self._trace_id_of(headers))


def _rejection(error: BaseException) -> Rejection:
    if isinstance(error, CancelledError):
        return Rejection(STOPPING, _STOPPING, headers={"Retry-After": "1"})
    _log.error("a request failed", exc_info=error)
    if isinstance(error, MemoryError):
        return Rejection(OVERLOADED, _NO_MEMORY, headers={"Retry-After": "1"})
    return Rejection(INTERNAL_ERROR, INTERNAL_ERROR.detail)


def _handled(
    scope: Scope, name: RequestName, method: str, status: int, seconds: float, sent: int
) -> HandledRequest:
    """Answer what may be told: a path may hold a tag, and what is no id may hold anything."""
    route = _route_of(scope)
    path = None if route else _beginning(path_of(HTTPConnection(scope)))
    entry_id: str | None = scope["path_params"].get("id") if route else None
    if entry_id is not None and not _ID.fullmatch(entry_id):
        entry_id = None
    client: tuple[str, int] | None = scope.get("client")
    return HandledRequest(
        method,
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


class HeadAsGet:
    """Answers HEAD as GET, without the content (RFC 9110, section 9.3.2).

    The response is complete where its content would begin: what has no end, ends there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_complete = False

        async def send_without_content(message: Message) -> None:
            nonlocal is_complete
            if message["type"] != "http.response.body":
                await send(message)
            elif not is_complete:
                is_complete = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send_without_content)
        finally:
            scope.update({**as_get, "method": "HEAD"})  # for who asks which route it was


class UnderPrefix:
    """Serves under the path that a proxy gives the service, whether it cuts that off or not."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; routes and URLs go by the scope's root path from here on."""
        scope["root_path"] = self._prefix
        await self._app(scope, receive, send)
