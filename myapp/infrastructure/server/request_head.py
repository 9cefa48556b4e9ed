"""The head of a request, if it says one thing only (RFC 9112, 11.2).

The parser refuses most of what a proxy might take for another request. This is the rest.
"""

import re
from collections.abc import Sequence

from myapp.infrastructure.api.problem_types import MALFORMED_REQUEST
from myapp.infrastructure.api.problems import Rejection

RawHeaders = Sequence[tuple[bytes, bytes]]

_ABSOLUTE = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE)
_SPOKEN = ("1.1", "1.0")


def malformed(reason: str) -> Rejection:
    """Answer the rejection of what is not HTTP as the service speaks it."""
    return Rejection(MALFORMED_REQUEST, f"The request is not as HTTP/1.1 has it: {reason}.")


def check_head(version: str, method: str, headers: RawHeaders) -> tuple[bytes | None, bool]:
    """Answer the host that the head names, if it does, and whether to send for the body.

    Raises Rejection. The bounds of the body have to be plain, and the host to be named once
    (RFC 9112, 3.2 and 6.1).
    """
    if version not in _SPOKEN:
        raise malformed(f"HTTP/{version} is not spoken here")
    if method == "CONNECT":
        raise malformed("CONNECT asks for a proxy")
    host: bytes | None = None
    is_coded = expects_continue = False
    for name, value in headers:
        if name == b"host":
            if host is not None:
                raise malformed("more than one Host")
            host = value
        elif name == b"transfer-encoding":
            if is_coded or version == "1.0" or value.lower() != b"chunked":
                raise malformed("Transfer-Encoding is not just chunked")
            is_coded = True
        elif name == b"expect":
            expects_continue = value.lower() == b"100-continue"
    if host is None and version == "1.1":
        raise malformed("no Host")
    return host, expects_continue


def split_target(target: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    """Answer the path and the query of a request's target; raises Rejection.

    One that names a host names that of the header (RFC 9112, 3.2.2, would have the header
    ignored, and somebody may not).
    """
    if b"#" in target:
        raise malformed("a fragment in the target")
    if not target.startswith(b"/") and target != b"*":
        match = _ABSOLUTE.fullmatch(target)
        if match is None:
            raise malformed("the target is neither a path nor a URL")
        if host is None or match[1].lower() != host.lower():
            raise malformed("the target and Host name different hosts")
        target = match[2] if match[2].startswith(b"/") else b"/" + match[2]
    path, _, query = target.partition(b"?")
    return path, query
