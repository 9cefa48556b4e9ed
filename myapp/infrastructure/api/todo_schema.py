"""The public shape of todo entries, apart from the entity: what is sent and answered.

The rules of the values are the domain's; the schemas quote them and add only the types.
"""

import re
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from msgspec import convert
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue

from myapp.domain.errors import InvalidValue
from myapp.domain.todo import (
    CONTENT_MOST,
    NOTES_MOST,
    TAG_MOST,
    TAGS_MOST,
    Due,
    Priority,
    TodoFields,
    different_tags,
    normalise_content,
    normalise_notes,
    normalise_tag,
)
from myapp.infrastructure.api.parsed import Parsed

EXAMPLE_ID = "0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e"
EXAMPLE_ENTRY: JsonDict = {
    "id": EXAMPLE_ID,
    "content": "buy oat milk",
    "notes": "",
    "tags": ["home", "shop"],
    "priority": "none",
    "due": "2026-12-24",
    "done": True,
    "completed_at": "2026-11-21T18:30:00Z",
    "created_at": "2026-11-21T10:00:00Z",
    "updated_at": "2026-11-21T18:30:00Z",
    "revision": 17,
}

_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_LINE = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
LINES = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"
_TAG = rf"^[^\s,/\\{_CONTROL}]+$"
DATE_OR_TIME: JsonSchemaValue = {
    "anyOf": [
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]
}

_CANONICAL_UUID = re.compile(_UUID)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def parse_due(text: object) -> Due:
    """Answer the day or the moment that a text in RFC 3339 names; raises ValueError.

    Of fractions of a second six digits are kept.
    """
    try:
        if isinstance(text, str) and _DATE.fullmatch(text):
            return Due(date.fromisoformat(text))
        if isinstance(text, str) and _TIME.fullmatch(text):
            return Due(datetime.fromisoformat(text.upper()))
    except InvalidValue:
        raise
    except ValueError:
        pass
    raise ValueError(
        "must be a date that exists (2026-12-24) or a time with its offset from UTC"
        " (2026-12-24T17:00:00Z)"
    )


def canonical_uuid(text: object) -> UUID:
    """Answer the id that a text spells as this service does; raises ValueError."""
    if isinstance(text, str) and _CANONICAL_UUID.fullmatch(text):
        return convert(text, UUID)  # in a third of the time
    raise ValueError(f"must be a UUID in lower case with hyphens, like {EXAMPLE_ID}")


def _due_value(due: Due | None) -> date | datetime | None:
    return due.value if due else None


EntryId = Annotated[
    UUID,
    Parsed(canonical_uuid, {"type": "string", "format": "uuid", "pattern": _UUID}),
]
Content = Annotated[
    str,
    AfterValidator(normalise_content),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": CONTENT_MOST, "pattern": _LINE}
    ),
    Field(description="What is to be done: one line of plain text."),
]
Notes = Annotated[
    str,
    AfterValidator(normalise_notes),
    WithJsonSchema({"type": "string", "maxLength": NOTES_MOST, "pattern": LINES}),
    Field(description="More about it: plain text, lines allowed."),
]
Tag = Annotated[
    str,
    AfterValidator(normalise_tag),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": TAG_MOST,
            "pattern": _TAG,
            "not": {"enum": [".", ".."]},
        }
    ),
]
Tags = Annotated[
    tuple[Tag, ...],
    AfterValidator(different_tags),
    Field(
        strict=False,  # JSON knows arrays, but no tuples
        # A schema could only bound all of them, and equal ones count once.
        description=f"Up to {TAGS_MOST} different ones; answered sorted by code point, each"
        " once. Case matters.",
    ),
]
PriorityName = Annotated[Priority, Field(strict=False, description="How much it matters.")]
DueText = Annotated[
    Due,
    Parsed(
        parse_due,
        DATE_OR_TIME
        | {
            "description": "A day, or a moment; an offset is accepted and kept as UTC. To"
            " compare, a day counts as its end in UTC."
        },
    ),
]
ReadOnly = Annotated[
    object, Field(description="Ignored.", json_schema_extra={"readOnly": True})
]


class TodoEntryDraft(BaseModel):
    """What a client may write of an entry."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"content": "buy oat milk", "tags": ["home", "shop"], "due": "2026-12-24"}
            ]
        },
    )

    content: Content
    notes: Notes = ""
    tags: Tags = ()
    priority: PriorityName = Priority.NONE
    due: DueText | None = None
    done: bool = Field(default=False, description="True completes, false reopens.")

    def fields(self) -> TodoFields:
        """Answer what is written besides the content and whether it is done."""
        return TodoFields(
            notes=self.notes, tags=self.tags, priority=self.priority, due=self.due
        )


class TodoEntryReplacement(TodoEntryDraft):
    """An entry as it was read, edited or not: what only the server sets is ignored."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": "buy soy milk", "priority": "low"}]}
    )

    id: ReadOnly = None
    completed_at: ReadOnly = None
    created_at: ReadOnly = None
    updated_at: ReadOnly = None
    revision: ReadOnly = None


class TodoEntryPatch(BaseModel):
    """A JSON merge patch (RFC 7396): what is left out stays, null means the default."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={"examples": [{"priority": "high", "done": True}]},
    )

    content: Content = Field(default_factory=str)  # left out is neither checked nor used
    notes: Notes | None = None
    tags: Tags | None = None
    priority: PriorityName | None = None
    due: DueText | None = None
    done: bool | None = Field(default=None, description="True completes, false reopens.")

    def changed_content(self) -> str | None:
        """Answer the new content, None if it is left out."""
        return self.content or None

    def changed_done(self) -> bool | None:
        """Answer whether it is to be done, None if that is left out."""
        return bool(self.done) if "done" in self.model_fields_set else None

    def fields(self) -> TodoFields:
        """Answer what else is to be written, without what is left out."""
        fields = TodoFields()
        if "notes" in self.model_fields_set:
            fields["notes"] = self.notes or ""
        if "tags" in self.model_fields_set:
            fields["tags"] = self.tags or ()
        if "priority" in self.model_fields_set:
            fields["priority"] = self.priority or Priority.NONE
        if "due" in self.model_fields_set:
            fields["due"] = self.due
        return fields


_READ_ONLY = Field(json_schema_extra={"readOnly": True})


class TodoEntrySchema(BaseModel):
    """A todo entry as it is answered."""

    model_config = ConfigDict(
        from_attributes=True,
        title="TodoEntry",
        json_schema_extra={"examples": [EXAMPLE_ENTRY]},
    )

    id: UUID = _READ_ONLY
    content: str
    notes: str
    tags: tuple[str, ...]
    priority: Priority
    due: Annotated[date | datetime | None, BeforeValidator(_due_value)]
    done: bool = Field(description="Whether completed_at is set.")
    completed_at: datetime | None = _READ_ONLY
    created_at: datetime = _READ_ONLY
    updated_at: datetime = _READ_ONLY
    revision: int = Field(
        description="Grows with every change; the same number is the entry's ETag.",
        json_schema_extra={"readOnly": True},
    )


class TagUseSchema(BaseModel):
    """A tag in use."""

    model_config = ConfigDict(
        from_attributes=True,
        title="TagUse",
        json_schema_extra={"examples": [{"tag": "home", "open": 3, "all": 5}]},
    )

    tag: str
    open: int = Field(description="The number of open entries that carry it.")
    all: int = Field(description="The number of all entries that carry it.")
