"""Which requests are not even looked at."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from myapp.infrastructure.api.hosts import Hosts
from myapp.infrastructure.api.options import ApiOptions
from myapp.infrastructure.api.origins import Origins
from myapp.infrastructure.api.problem_types import (
    CROSS_SITE_REQUEST,
    HOST_NOT_ALLOWED,
    MALFORMED_REQUEST,
    OVERLOADED,
    URI_TOO_LONG,
)
from myapp.infrastructure.api.problems import Rejection, shown

REFUSAL = "myapp.refusal"
"""Where a request's state has the Rejection that the server wants it answered with."""

_HEALTH = ("/health/live", "/health/ready")
_STREAMS = ("/todo/events",)
_METRICS = ("/metrics",)

_NO_STATE: Mapping[str, Rejection] = {}

Headers = Mapping[bytes, bytes]


class Limits:
    """Tells what is for another host, comes from another site, is too much, or no text.

    Whoever looks after the service is let through however much there is to do, and asks for
    its health under whatever name. Streams have no end, and take no time: they are as many
    as there may be connections.
    """

    def __init__(self, options: ApiOptions, origins: Origins) -> None:
        self._hosts = Hosts(options.allowed_hosts)
        self._origins = origins
        self._most = options.max_requests
        self._longest = options.max_query_bytes
        self._for_any_host = _with_and_without(options.prefix, _HEALTH)
        self._uncounted = _with_and_without(options.prefix, _HEALTH + _METRICS + _STREAMS)
        self._served = 0

    def enter(self, path: str) -> bool:
        """Count a request for a path that has come; answer whether it counts."""
        is_counted = path not in self._uncounted
        self._served += is_counted
        return is_counted

    def leave(self, is_counted: bool) -> None:
        """Learn that a request was answered, or given up."""
        self._served -= is_counted

    def rejection(self, scope: Scope, headers: Headers) -> Rejection | None:
        """Answer why a request that has entered is not even looked at, if so."""
        rejection: Rejection | None = scope.get("state", _NO_STATE).get(REFUSAL)
        if rejection is not None:
            return rejection
        host = headers.get(b"host")
        if host is not None and not self._hosts.include(host):
            if scope["path"] not in self._for_any_host:
                told = shown(host.decode("latin-1"))
                detail = f"{told!r} is none of the hosts in TODOAPP_ALLOWED_HOSTS."
                return Rejection(HOST_NOT_ALLOWED, detail)
        if not self._origins.may_ask(scope["method"], headers):
            origin = shown(headers.get(b"origin", b"another site").decode("latin-1"))
            detail = f"Pages of {origin} may not change anything here."
            return Rejection(CROSS_SITE_REQUEST, detail)
        for what, part in (("path", "raw_path"), ("query", "query_string")):
            sent: bytes = scope.get(part) or b""
            if len(sent) > self._longest:
                detail = f"The {what} has more than {self._longest} bytes."
                return Rejection(URI_TOO_LONG, detail)
            if not _is_utf8(sent):
                return Rejection(MALFORMED_REQUEST, f"The {what} is not UTF-8.")
        if self._served > self._most and scope["path"] not in self._uncounted:
            return Rejection(OVERLOADED)
        return None


def _is_utf8(percent_encoded: bytes) -> bool:
    """Whether what was sent can be read as text, or only as something else."""
    if b"%" not in percent_encoded and percent_encoded.isascii():
        return True
    try:
        unquote_to_bytes(percent_encoded).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _with_and_without(prefix: str, paths: tuple[str, ...]) -> frozenset[str]:
    """Answer the paths as a proxy may ask for them: it cuts the prefix off or not."""
    return frozenset({*paths, *(f"{prefix}{path}" for path in paths)})
