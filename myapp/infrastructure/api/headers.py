"""The header fields that steer a request: conditions (RFC 9110, 13), preferences (RFC 7240)."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Response
from pydantic.json_schema import JsonSchemaValue

from myapp.application.todo_service import Condition
from myapp.infrastructure.api.parsed import Parsed

COUNT_EXACT = "count=exact"
RETURN_REPRESENTATION = "return=representation"

Answer = TypeVar("Answer")

_NO_CACHE = (b"cache-control", b"no-cache")

_STRING: JsonSchemaValue = {"type": "string"}
_TAGS: JsonSchemaValue = {
    "anyOf": [
        {"const": "*"},
        _STRING | {"pattern": r'^(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*$'},
    ],
    "examples": ['"17"'],
}
_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_REVISION = re.compile(r'"([1-9][0-9]{0,17})"')
_QUOTED = r'"(?:[^"\\]|\\.)*"?'  # a string in quotes (RFC 9110, 5.6.4), or one that breaks off
_QUOTED_PAIR = re.compile(r"\\(.)")
_PREFERENCE = re.compile(rf'[ \t,]*((?:[^,;"]+|{_QUOTED})*)(?:[^,"]+|{_QUOTED})*')
_TAG_LIST = re.compile(rf"[ \t,]*{_ENTITY_TAG}(?:[ \t]*,[ \t,]*{_ENTITY_TAG})*[ \t,]*")


class EntityTags(frozenset[str]):
    """What If-Match or If-None-Match lists (RFC 9110, 13.1): tags as written, or just "*"."""

    @property
    def anything(self) -> bool:
        """Whether any revision will do."""
        return "*" in self

    def includes(self, tag: str) -> bool:
        """Whether the tag is listed, by weak comparison (RFC 9110, 8.8.3.2)."""
        return self.anything or tag in self or f"W/{tag}" in self

    def revisions(self) -> frozenset[int] | None:
        """The revisions listed, by strong comparison; None if any will do.

        A tag that this service never gave out stands for no revision.
        """
        if self.anything:
            return None
        found = map(_REVISION.fullmatch, self)
        return frozenset(int(match[1]) for match in found if match)


def etag(revision: int) -> str:
    """Answer the entity tag of a revision."""
    return f'"{revision}"'


def tell_state(response: Response, tag: str) -> None:
    """Let the client keep the answer, and ask by its entity tag whether it still holds."""
    # Twice as fast as by `headers`, for what most answers have.
    response.raw_headers += [(b"etag", tag.encode("ascii")), _NO_CACHE]


def tell_new(response: Response, tag: str, url: str) -> None:
    """Tell the client the entity tag of what is new, and where it is."""
    response.raw_headers += [(b"etag", tag.encode("ascii")), (b"location", url.encode("ascii"))]


def entity_tags(lines: Iterable[str]) -> EntityTags:
    """Answer what the lines of the field list together; raises ValueError."""
    text = ",".join(lines)
    if text.strip() == "*":
        return EntityTags("*")
    if not _TAG_LIST.fullmatch(text):
        raise ValueError('must be entity tags in quotes, such as "17", or *')
    return EntityTags(match[0] for match in re.finditer(_ENTITY_TAG, text))


def unless_current(
    listed: EntityTags | None, response: Response, answer: Answer
) -> Answer | Response:
    """Answer 304 with the same headers if the client has what their ETag stands for."""
    if listed is None or not listed.includes(response.headers["ETag"]):
        return answer
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=response.headers)


def parse_preferences(lines: Iterable[str]) -> frozenset[str]:
    """Answer what is preferred as "name=value", without parameters.

    Of a preference given more than once the first counts (RFC 7240, section 2).
    """
    preferred: dict[str, str] = {}
    for preference in _PREFERENCE.findall(",".join(lines).lower()):
        name, _, value = preference.partition("=")
        unquoted = _QUOTED_PAIR.sub(r"\1", value.strip().strip('"'))
        preferred.setdefault(name.strip(), unquoted)
    return frozenset(f"{name}={value}" for name, value in preferred.items())


def _anything(lines: Iterable[str]) -> EntityTags:
    tags = entity_tags(lines)
    if not tags.anything:
        raise ValueError("must be *, the only condition of this field for a change")
    return tags


IfMatch = Annotated[
    EntityTags | None,
    Parsed(entity_tags, _TAGS),
    Header(
        alias="If-Match",
        description="Change the entry only if its ETag is one of these (412 if not).",
    ),
]
IfNoneMatch = Annotated[
    EntityTags | None,
    Parsed(entity_tags, _TAGS),
    Header(
        alias="If-None-Match",
        description="Answer 304 without a body if the ETag is one of these.",
    ),
]
IfNew = Annotated[
    EntityTags | None,
    Parsed(_anything, _STRING | {"const": "*", "examples": ["*"]}),
    Header(
        alias="If-None-Match",
        description="With *, do nothing if the entry is there (412); PUT then only creates.",
    ),
]
Prefer = Annotated[
    frozenset[str] | None,
    Parsed(parse_preferences, _STRING | {"examples": [RETURN_REPRESENTATION, COUNT_EXACT]}),
    Header(alias="Prefer", description="What is wished for (RFC 7240), if it can be had."),
]


def preferences(prefer: Prefer = None) -> frozenset[str]:
    """Answer what is preferred, as "name=value"."""
    return prefer or frozenset()


def condition(if_match: IfMatch = None, if_none_match: IfNew = None) -> Condition:
    """Answer the condition that a change is under."""
    if if_match is None:
        return Condition(exists=False if if_none_match else None)
    if if_none_match:  # an entry that is there and is not: nothing fulfils both
        return Condition(exists=False, revisions=frozenset())
    return Condition(exists=True, revisions=if_match.revisions())


Preferences = Annotated[frozenset[str], Depends(preferences)]
Conditional = Annotated[Condition, Depends(condition)]
