"""Bodies as JSON (RFC 8259) read strictly: what is ambiguous is refused, with its place."""

import json
from collections import Counter
from collections.abc import Iterator
from email.message import Message
from math import isfinite
from typing import Any

from fastapi import Request

from myapp.infrastructure.api.problem_types import (
    CONTENT_TOO_LARGE,
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
)
from myapp.infrastructure.api.problems import InputError, Rejection, pointer, refuse, shown

MERGE_PATCH = "application/merge-patch+json"

_JSON_PATCH = "application/json-patch+json"  # another format, and no merge patch
_CURL_OPTION = '-H "Content-Type: application/json"'

_MEMBERS_MOST = 1_000
_DEEPEST = 32
_TOO_DEEP = f"The body is nested deeper than {_DEEPEST} levels."
_SURROGATES = "must not contain lone surrogates"
_OUT_OF_RANGE = "must be a number within range"
_LONGEST_INTEGER = 18


class JsonRequest(Request):
    """A request whose body is JSON in UTF-8, of no more bytes than may be, or a problem.

    `json` answers objects, arrays, strings, finite numbers that fit, booleans and null;
    RFC 8259 leaves to the implementation what it makes of the rest, and this one refuses.
    """

    async def body(self) -> bytes:
        """Answer the bytes; raises Rejection before reading more than it would take.

        What the head rules out is not even sent for (RFC 9110, section 10.1.1).
        """
        if not hasattr(self, "_body"):
            headers: dict[bytes, bytes] = dict(self.scope["headers"])
            _check_media_type(self.method, headers.get(b"content-type", b""))
            most: int = self.app.state.max_body_bytes
            if int(headers.get(b"content-length", 0)) > most:
                raise _too_large(most)
            body = await self._received(most)
            if not body:
                raise Rejection(MALFORMED_REQUEST, "The body is empty, not JSON.")
            self._body = body
        return self._body

    async def _received(self, most: int) -> bytes:
        body, is_complete = bytearray(), False
        while not is_complete:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Rejection(MALFORMED_REQUEST, "The body broke off.")
            body += message.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            is_complete = not message.get("more_body", False)
        return bytes(body)

    @property
    def body_read(self) -> bytes:
        """What has been read of it: nothing if the operation takes none."""
        body: bytes = getattr(self, "_body", b"")
        return body

    async def json(self) -> Any:  # any JSON value: that is what the schemas check next
        """Answer the value; raises Rejection."""
        body = await self.body()
        made_before = _Flaw.made
        value = _decode(body)
        if _Flaw.made == made_before and _is_simple(body):
            return value
        refuse(_flaws(value, ()))
        return value


def _check_media_type(method: str, declared: bytes) -> None:
    if declared == b"application/json":  # or a parser for mail would take 10 microseconds
        return
    message = Message()
    message["content-type"] = declared.decode("latin-1") or "application/octet-stream"
    media_type = message.get_content_type()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if is_json and not (method == "PATCH" and media_type == _JSON_PATCH):
        return
    told = shown(declared.decode("latin-1") or "nothing")
    detail = f"The body is declared as {told}; with curl, add {_CURL_OPTION}."
    headers = {"Accept-Patch": f"{MERGE_PATCH}, application/json"}
    raise Rejection(
        UNSUPPORTED_MEDIA_TYPE, detail, headers=headers if method == "PATCH" else None
    )


def _too_large(most: int) -> Rejection:
    return Rejection(CONTENT_TOO_LARGE, f"The body has more than {most} bytes.")


def _decode(body: bytes) -> object:
    try:
        value: object = _DECODER.decode(body.decode("utf-8"))
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: {error}."
        raise Rejection(MALFORMED_REQUEST, detail) from error
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8 from byte {error.start} on."
        raise Rejection(MALFORMED_REQUEST, detail) from error
    except RecursionError as error:
        raise Rejection(MALFORMED_REQUEST, _TOO_DEEP) from error
    return value


class _Flaw:
    """Stands in the decoded value for what cannot be told as a value."""

    made = 0

    def __init__(self, rule: str) -> None:
        self.rule = rule
        _Flaw.made += 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        for name, count in counts.items():
            if count > 1:
                members[name] = _Flaw("must be given once only")
    return members


def _integer(text: str) -> int | _Flaw:
    # Longer ones take quadratic time, and Python refuses the longest.
    return int(text) if len(text) <= _LONGEST_INTEGER else _Flaw(_OUT_OF_RANGE)


def _number(text: str) -> float | _Flaw:
    number = float(text)
    return number if isfinite(number) else _Flaw(_OUT_OF_RANGE)


def _constant(_name: str) -> _Flaw:
    return _Flaw("must be a finite number")


def _is_simple(body: bytes) -> bool:
    """Whether no value in it can have a flaw that was not found while it was decoded.

    For most bodies that saves looking at each value, which is a twelfth of adding an entry.
    """
    return (
        body.count(b"{") + body.count(b"[") <= _DEEPEST
        and body.count(b",") < _MEMBERS_MOST
        and b"\\ud" not in body  # as surrogates have to be told
        and b"\\uD" not in body
    )


def _flaws(value: object, path: tuple[str | int, ...]) -> Iterator[InputError]:
    if len(path) > _DEEPEST:
        raise Rejection(MALFORMED_REQUEST, _TOO_DEEP)
    match value:
        case _Flaw():
            yield InputError(detail=value.rule, pointer=pointer(path))
        case str() if _has_surrogates(value):
            yield InputError(detail=_SURROGATES, pointer=pointer(path))
        case list() | dict() if len(value) > _MEMBERS_MOST:
            rule = f"must have {_MEMBERS_MOST:,} members at most"
            yield InputError(detail=rule, pointer=pointer(path))
        case list():
            for index, item in enumerate(value):
                yield from _flaws(item, (*path, index))
        case dict():
            for name, member in value.items():
                if _has_surrogates(name):
                    yield InputError(detail=_SURROGATES, pointer=pointer((*path, name)))
                yield from _flaws(member, (*path, name))


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_constant,
)
