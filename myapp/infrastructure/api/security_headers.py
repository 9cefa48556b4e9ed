"""What browsers are told of every answer, so that no other page makes use of it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myapp.infrastructure.api.origins import Origins, RawHeaders

POLICY = b"content-security-policy"
"""The header of an answer that is a page, which has to allow what it loads."""

# No Strict-Transport-Security: whether there is TLS is for the proxy in front to know.
_OF_PAGES: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
SECURITY_HEADERS: RawHeaders = [
    *_OF_PAGES,
    (POLICY, b"default-src 'none'; frame-ancestors 'none'"),
]
"""Those of an answer that is no page."""


class SecurityHeaders:
    """Adds them to every answer, and what lets pages of allowed origins read it."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        requested: RawHeaders = scope["headers"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: RawHeaders = message["headers"]
                added = _OF_PAGES if POLICY in dict(headers) else SECURITY_HEADERS
                message["headers"] = [*headers, *added, *self._origins.headers(requested)]
            await send(message)

        await self._app(scope, receive, send_with_headers)
