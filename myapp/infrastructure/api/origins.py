"""Pages of other sites: what they may bring about, and what they may read (Fetch, 3.2)."""

from collections.abc import Collection, Mapping

from starlette.responses import Response

RawHeaders = list[tuple[bytes, bytes]]

_METHODS = "DELETE, GET, HEAD, PATCH, POST, PUT"
_SENT = (
    "Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer,"
    " Traceparent, Tracestate, X-Request-Id"
)
_READ = (
    b"Allow, ETag, Link, Location, Preference-Applied, Retry-After, Total-Count, X-Request-Id"
)
_ANSWER_KEPT = "600"  # seconds

_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = (b"same-origin", b"none")  # the latter: the user's own doing

_VARY = (b"vary", b"Origin")


class Origins:
    """The origins of pages that may read and change the same as anybody else."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = {origin.encode("ascii") for origin in allowed}
        preflight = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _SENT,
            "Access-Control-Max-Age": _ANSWER_KEPT,
        }
        self._preflight = Response(status_code=204, headers=preflight)

    def may_ask(self, method: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether this is no request by which a page of another site would change something.

        What is no browser tells neither its site nor an origin. A browser that tells no site
        (it does so only where nobody can listen) still tells the origin of what may change
        something.
        """
        if method in _SAFE:
            return True
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if origin in self._allowed:
            return True
        if site is not None:
            return site in _OWN_SITES
        return origin is None or _authority(origin) == headers.get(b"host", b"").lower()

    def preflight(self, headers: Mapping[bytes, bytes]) -> Response | None:
        """Answer the response to OPTIONS, if a browser asks whether a page may ask."""
        if b"access-control-request-method" not in headers:
            return None
        return self._preflight if headers.get(b"origin") in self._allowed else None

    def headers(self, requested: Mapping[bytes, bytes]) -> RawHeaders:
        """Answer the headers by which a browser lets the page read the answer."""
        if not self._allowed:
            return []
        origin = requested.get(b"origin")
        if origin is None or origin not in self._allowed:
            return [_VARY]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _READ),
            _VARY,
        ]


def _authority(origin: bytes) -> bytes:
    return origin.partition(b"://")[2].lower()
