"""What the documentation says of response headers and of answers without a body."""

from typing import Any

Headers = dict[str, dict[str, Any]]  # OpenAPI's header objects


def _header(description: str, example: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"description": description, "schema": schema, "example": example}


ETAG: Headers = {
    "ETag": _header("What stands for this answer, in quotes: of entries the revision.", '"17"')
}
STATE: Headers = ETAG | {
    "Cache-Control": _header("May be kept, if its ETag is asked about each time.", "no-cache")
}
NO_STORE: Headers = {"Cache-Control": _header("May not be kept.", "no-store")}
VARY_ACCEPT: Headers = {"Vary": _header("What of the request the format goes by.", "Accept")}
LOCATION: Headers = {
    "Location": _header("Where the entry is.", "/todo/0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e")
}
LINK: Headers = {
    "Link": _header(
        "Where the next page is, if there is one (RFC 8288).",
        '</todo?limit=2&cursor=WyI5Zj…>; rel="next"',
    )
}
NEXT_CHANGES: Headers = {
    "Link": _header(
        "Where what comes next is, now or later (RFC 8288).",
        '</todo/changes?limit=2&since=17>; rel="next"',
    )
}
TOTAL_COUNT: Headers = {
    "Total-Count": _header("The number of entries on all pages, if wished for.", "1234")
}
PREFERENCE_APPLIED: Headers = {
    "Preference-Applied": _header(
        "The wish that was granted (RFC 7240).", "return=representation"
    )
}
RETRY_AFTER: Headers = {"Retry-After": _header("Seconds to wait before trying again.", "1")}
ALLOW: Headers = {"Allow": _header("The methods that the path takes.", "GET, HEAD, POST")}
ACCEPT_PATCH: Headers = {
    "Accept-Patch": _header(
        "The media types that a patch may have (RFC 5789).",
        "application/merge-patch+json, application/json",
    )
}
PATCH_SCHEMA = {"schema": {"$ref": "#/components/schemas/TodoEntryPatch"}}


def revalidated(headers: Headers) -> dict[int | str, dict[str, Any]]:
    """Answer FastAPI's `responses` for an answer with these headers, and for 304 with them."""
    description = "What the client has, under the ETag in If-None-Match, is current."
    return {
        200: {"headers": headers},
        304: {"description": description, "headers": headers},
    }
