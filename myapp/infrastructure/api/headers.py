"""The header fields that steer a request: conditions (RFC 9110, 13), preferences (RFC 7240)."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header
from pydantic import PlainValidator, WithJsonSchema

from myapp.application.todo_service import Condition

NO_CACHE = "no-cache"
COUNT_EXACT = "count=exact"
RETURN_REPRESENTATION = "return=representation"

_STRING: dict[str, object] = {"type": "string"}
_ENTITY_TAG = r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")'
_FIND_TAG = re.compile(_ENTITY_TAG)
_TAG_LIST = re.compile(rf"[ \t,]*{_ENTITY_TAG}([ \t]*,[ \t,]*{_ENTITY_TAG})*[ \t,]*")


@dataclass(frozen=True, slots=True)
class EntityTags:
    """What If-Match or If-None-Match lists (RFC 9110, 13.1): tags with quotes, or anything."""

    anything: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    def includes(self, revision: int) -> bool:
        """Whether the revision's tag is listed, by weak comparison (RFC 9110, 8.8.3.2)."""
        return self.anything or etag(revision) in self.strong | self.weak

    def revisions(self) -> frozenset[int] | None:
        """The revisions listed, by strong comparison; None if anything will do.

        A tag that this service never gave out stands for no revision.
        """
        if self.anything:
            return None
        numbers = (tag.strip('"') for tag in self.strong)
        return frozenset(int(n) for n in numbers if re.fullmatch("[1-9][0-9]{0,17}", n))


def etag(revision: int) -> str:
    """Answer the entity tag of a revision."""
    return f'"{revision}"'


def entity_tags(text: object) -> EntityTags:
    """Answer what the value of the field lists; raises ValueError."""
    if isinstance(text, str) and text.strip() == "*":
        return EntityTags(anything=True)
    if not (isinstance(text, str) and _TAG_LIST.fullmatch(text)):
        raise ValueError('must be entity tags in quotes, such as "17", or *')
    found = _FIND_TAG.findall(text)
    return EntityTags(
        strong=frozenset(tag for weak, tag in found if not weak),
        weak=frozenset(tag for weak, tag in found if weak),
    )


def condition(match: EntityTags | None, *, new: bool = False) -> Condition:
    """Answer the condition that If-Match and, with `new`, If-None-Match: * make."""
    if match is None:
        return Condition(exists=False if new else None)
    if new:
        return Condition(exists=False, revisions=frozenset())
    return Condition(exists=True, revisions=match.revisions())


def preferences(text: object) -> frozenset[str]:
    """Answer the preferences as "name=value", without their parameters."""
    preferred = (part.partition(";")[0] for part in str(text).split(","))
    return frozenset(
        re.sub(r'\s*=\s*"?([^"]*)"?', r"=\1", part.strip()).lower() for part in preferred
    )


def _anything(text: object) -> bool:
    if not (isinstance(text, str) and text.strip() == "*"):
        raise ValueError("must be *, the only condition of this field for a change")
    return True


IfMatch = Annotated[
    EntityTags | None,
    PlainValidator(entity_tags),
    WithJsonSchema(_STRING),
    Header(
        alias="If-Match",
        description="Change the entry only if its ETag is one of these (412 if not).",
        examples=['"17"'],
    ),
]
IfNoneMatch = Annotated[
    EntityTags | None,
    PlainValidator(entity_tags),
    WithJsonSchema(_STRING),
    Header(
        alias="If-None-Match",
        description="Answer 304 without a body if the ETag is one of these.",
        examples=['"17"'],
    ),
]
IfNew = Annotated[
    bool,
    PlainValidator(_anything),
    WithJsonSchema(_STRING | {"const": "*"}),
    Header(
        alias="If-None-Match",
        description="With *, create the entry but replace none (412 if there is one).",
        examples=["*"],
    ),
]
Prefer = Annotated[
    frozenset[str],
    PlainValidator(preferences),
    WithJsonSchema(_STRING),
    Header(description="What is wished for (RFC 7240), if it can be had."),
]
