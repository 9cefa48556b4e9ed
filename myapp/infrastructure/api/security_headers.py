"""What browsers are told of every answer, so that no other page makes use of it."""

from myapp.infrastructure.api.origins import RawHeaders

POLICY = b"content-security-policy"
"""The header of an answer that is a page, which has to allow what it loads."""

# No Strict-Transport-Security: whether there is TLS is for the proxy in front to know.
SECURITY_HEADERS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_STRICTEST = [*SECURITY_HEADERS, (POLICY, b"default-src 'none'; frame-ancestors 'none'")]


def security_headers(headers: RawHeaders) -> RawHeaders:
    """Answer what is to be added to the headers of an answer."""
    return SECURITY_HEADERS if POLICY in dict(headers) else _STRICTEST
