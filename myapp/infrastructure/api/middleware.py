"""What surrounds every request, as plain ASGI."""

import logging
import re
from asyncio import CancelledError
from collections.abc import Callable
from time import perf_counter
from urllib.parse import unquote_to_bytes
from uuid import UUID

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myapp.infrastructure.api.problems import (
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    STORAGE_UNAVAILABLE,
    Rejection,
    path_of,
    problem_response,
)

_SANE_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")

_STOPPING = "The service is stopping and did not wait for this request to end."

_log = logging.getLogger(__name__)


class RequestLog:
    """Names each request, logs a line about it, and answers 500 where nothing else did.

    The name is the client's X-Request-Id if that is a sane token, and goes back to it.
    """

    def __init__(self, app: ASGIApp, new_id: Callable[[], UUID]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = perf_counter()
        request_id = Headers(scope=scope).get("x-request-id", "")
        if not _SANE_TOKEN.fullmatch(request_id):
            request_id = str(self._new_id())
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        connection = HTTPConnection(scope)
        try:
            await self._app(scope, receive, send_named)
        except (Exception, CancelledError) as error:  # or the client would hear nothing
            if status:
                raise
            rejection = self._rejection(error, request_id)
            await problem_response(connection, rejection)(scope, receive, send_named)
        finally:
            _log.info(
                "%s %s %d %.1f ms %s",
                scope["method"],
                path_of(connection),
                status,
                (perf_counter() - begin) * 1000,
                request_id,
            )

    def _rejection(self, error: BaseException, request_id: str) -> Rejection:
        if isinstance(error, CancelledError):
            return Rejection(STORAGE_UNAVAILABLE, _STOPPING, headers={"Retry-After": "1"})
        _log.error("request %s failed", request_id, exc_info=error)
        return Rejection(INTERNAL_ERROR, INTERNAL_ERROR.detail)


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

        await self._app({**scope, "method": "GET"}, receive, send_without_content)


class UnderPrefix:
    """Serves under the path that a proxy gives the service, whether it cuts that off or not."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; routes and URLs go by the scope's root path from here on."""
        scope["root_path"] = self._prefix
        await self._app(scope, receive, send)


class Utf8Target:
    """Refuses a path or a query that is not UTF-8, which would be read as something else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        app = self._app
        if scope["type"] == "http" and not (
            _is_utf8(scope.get("raw_path") or b"") and _is_utf8(scope["query_string"])
        ):
            detail = "The path or the query is not UTF-8."
            rejection = Rejection(MALFORMED_REQUEST, detail)
            app = problem_response(HTTPConnection(scope), rejection)
        await app(scope, receive, send)


def _is_utf8(percent_encoded: bytes) -> bool:
    if b"%" not in percent_encoded and percent_encoded.isascii():
        return True
    try:
        unquote_to_bytes(percent_encoded).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
