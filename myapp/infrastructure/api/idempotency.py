"""The Idempotency-Key header field: a request that comes again is carried out once.

See draft-ietf-httpapi-idempotency-key-header. Its value is a string of RFC 9651 (3.3.3);
the quotes may be left out where a key needs none.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header
from pydantic.json_schema import JsonSchemaValue

from myapp.application.todo_service import IdempotencyKey
from myapp.infrastructure.api.headers import RETURN_REPRESENTATION, parse_preferences
from myapp.infrastructure.api.json_body import JsonRequest
from myapp.infrastructure.api.parsed import Parsed
from myapp.infrastructure.api.problems import path_of

_KEY_MOST = 255

_QUOTED = r'"((?:[ !#-\[\]-~]|\\["\\]){1,%d})"' % _KEY_MOST
_BARE = r"([!#-+\--:<-\[\]-~]{1,%d})" % _KEY_MOST  # not what separates, quotes or escapes
_FIELD = re.compile(rf"[ \t]*(?:{_QUOTED}|{_BARE})[ \t]*")


def _parse_key(lines: Sequence[str]) -> str:
    """Answer the key that the only line of the field has; raises ValueError."""
    found = _FIELD.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None:
        raise ValueError(
            f"must be one key of 1 to {_KEY_MOST} visible ASCII characters, such as"
            ' "8e03978e-40d5-43e8-bc93-6894a57f9324"; only simple ones may do without quotes'
        )
    quoted, bare = found.groups()
    return bare or re.sub(r"\\(.)", r"\1", quoted)


# An example of the parameter would be filled in on the documentation's page, every time.
_SCHEMA: JsonSchemaValue = {
    "type": "string",
    "pattern": f"^(?:{_QUOTED}|{_BARE})$",
    "examples": ['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
}

KeyField = Annotated[
    str | None,
    Parsed(_parse_key, _SCHEMA),
    Header(
        alias="Idempotency-Key",
        description="A name of your choice for this request. When it comes again with the"
        " same key, within a day at least, nothing is done twice: the answer is the first"
        " one. Another request with the same key is refused.",
    ),
]


def idempotency_key(request: JsonRequest, key: KeyField = None) -> IdempotencyKey | None:
    """Answer the key that the client has given the request, if any."""
    return IdempotencyKey(key, _digest(request)) if key else None


Key = Annotated[IdempotencyKey | None, Depends(idempotency_key)]


def _digest(request: JsonRequest) -> str:
    """Tell requests apart by all that makes their answers differ."""
    preferred = parse_preferences(request.headers.getlist("prefer"))
    query: bytes = request.scope["query_string"]
    parts = (
        request.method.encode("ascii"),
        path_of(request).rstrip("/").encode("ascii"),  # /todo/ is /todo
        query,
        b"representation" if RETURN_REPRESENTATION in preferred else b"",
        request.body_read,
    )
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))  # or parts could be cut elsewhere, and look the same
        digest.update(part)
    return digest.hexdigest()
