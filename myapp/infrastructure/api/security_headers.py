"""What browsers are told of every answer, so that no other page makes use of it."""

from myapp.infrastructure.api.origins import RawHeaders

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


def security_headers(headers: RawHeaders) -> RawHeaders:
    """Answer what is to be added to the headers of an answer."""
    return _OF_PAGES if POLICY in dict(headers) else SECURITY_HEADERS
