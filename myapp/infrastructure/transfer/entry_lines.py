"""An entry as one line of JSON in UTF-8: the fields that the API answers, in its spelling."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticSerializationError

from myapp.domain.errors import InvalidValue
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.api.broken_rules import broken_rule
from myapp.infrastructure.api.parsed import Parsed
from myapp.infrastructure.api.todo_schema import (
    DueText,
    EntryId,
    PriorityName,
    TodoEntryDraft,
    TodoEntrySchema,
    parse_due,
)
from myapp.infrastructure.database.states import TAGS_MOST
from myapp.infrastructure.transfer.errors import BadLine

FIELDS = tuple(TodoEntrySchema.model_fields)

LINE_MOST = 1_048_576
"""Bytes of a line that holds an entry, at most: as many as of a body that the API takes."""

_REASONS_SHOWN = 3
_NAME_SHOWN = 100
_SCHEMA = TypeAdapter(TodoEntrySchema)


def encode(entry: TodoEntry) -> bytes:
    """Answer the line of an entry, without its end."""
    return _SCHEMA.dump_json(_SCHEMA.validate_python(entry))


def encode_unnumbered(entry: TodoEntry) -> bytes:
    """Answer the line of an entry without its revision, which belongs to one storage only."""
    return _SCHEMA.dump_json(_SCHEMA.validate_python(entry), exclude={"revision"})


def decode(line: bytes) -> TodoEntry:
    """Answer the entry of a line that `encode` has made; raises BadLine for any other."""
    entry = restored(read_object(line))
    try:
        written = encode(entry)
    except PydanticSerializationError as error:
        raise BadLine("holds half of a surrogate pair, which is no character") from error
    if written != line:
        raise BadLine("is not written as an entry is")
    return entry


def read_object(line: bytes) -> Mapping[str, object]:
    """Answer the members of a JSON object (RFC 8259); raises BadLine.

    What the standard leaves to the implementation is refused: doubled names, NaN.
    """
    try:
        value: object = json.loads(
            line.decode("utf-8"), object_pairs_hook=_members, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        raise BadLine(f"is not UTF-8 from byte {error.start + 1:,} on") from error
    except json.JSONDecodeError as error:
        raise BadLine(f"is not JSON: {error.msg} at column {error.colno:,}") from error
    except RecursionError as error:
        raise BadLine("is nested too deep") from error
    except BadLine:
        raise
    except ValueError as error:  # Python refuses to read the longest numbers
        raise BadLine("holds a number out of range") from error
    if not isinstance(value, dict):
        raise BadLine("must be a JSON object")
    return value


def restored(values: Mapping[str, object]) -> TodoEntry:
    """Answer the entry that was told in these values, as it was; raises BadLine.

    Its texts are neither checked nor normalised: they were valid when they were stored. But
    what no release has stored is refused, since a storage may not be able to give it back.
    """
    try:
        return _StoredEntry.model_validate(values).entry()
    except ValidationError as error:
        raise BadLine(_reasons(error)) from error


def parse(values: Mapping[str, object]) -> "EntryInput":
    """Answer what is told in these values, by the rules of the API; raises BadLine."""
    try:
        return EntryInput.model_validate(values)
    except ValidationError as error:
        flaw = BadLine(_reasons(error))
    raise flaw  # not from the error: no garbage collection sees the cycle that it is part of


def parse_moment(text: object) -> datetime:
    """Answer the moment that a text in RFC 3339 names, in UTC; raises ValueError."""
    due = parse_due(text)
    if not isinstance(due.value, datetime):
        raise ValueError("must be a time with its offset from UTC (2026-12-24T17:00:00Z)")
    return due.value


Moment = Annotated[datetime, Parsed(parse_moment, {"type": "string", "format": "date-time"})]
Revision = Annotated[int, Field(ge=0)]


def _check_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    words = " ".join(tags).split()
    if words != list(tags) or len(set(words)) < len(words) or len(words) > TAGS_MOST:
        raise ValueError(f"must be {TAGS_MOST:,} different words at most")
    return tags


class _StoredEntry(BaseModel):
    """An entry as it was stored, whatever the rules were then."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: EntryId
    content: str
    notes: str = ""
    tags: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_check_tags)] = ()
    priority: PriorityName
    due: DueText | None = None
    done: bool
    completed_at: Moment | None = None
    created_at: Moment
    updated_at: Moment
    revision: Annotated[int, Field(ge=1)]

    def entry(self) -> TodoEntry:
        """Answer it; `done` only tells whether it has been completed."""
        return TodoEntry.restore(
            (
                self.id,
                self.content,
                self.notes,
                self.tags,
                self.priority,
                self.due,
                self.completed_at,
                None,
                self.created_at,
                self.updated_at,
                self.revision,
            )
        )


class EntryInput(TodoEntryDraft):
    """An entry as it is imported: only content is required, and the revision is not used."""

    id: EntryId | None = None
    completed_at: Moment | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    revision: Revision | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "EntryInput":
        told = self.model_fields_set
        if "done" in told and not self.done and self.completed_at is not None:
            raise InvalidValue("completed_at", "must be null if done is false")
        if self.done and "completed_at" in told and self.completed_at is None:
            raise InvalidValue("completed_at", "must be a time if done is true")
        return self

    def entry(self, stored: TodoEntry | None, *, id: UUID, now: datetime) -> TodoEntry:
        """Answer the entry in the place of the stored one, or a new one.

        Times left out are those of the stored entry as far as they still hold, else now.
        """
        entry = TodoEntry(
            id=id,
            content=self.content,
            completed_at=self._completed_at(stored, now),
            created_at=self.created_at or (stored.created_at if stored else now),
            updated_at=self.updated_at or (stored.updated_at if stored else now),
            revision=stored.revision if stored else 0,
            **self.fields(),
        )
        if self.updated_at is None and entry != stored:
            return replace(entry, updated_at=now)
        return entry

    def _completed_at(self, stored: TodoEntry | None, now: datetime) -> datetime | None:
        if not self.done:
            return self.completed_at
        return self.completed_at or (stored and stored.completed_at) or now


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadLine("gives a field twice")
    return members


def _constant(name: str) -> None:
    raise BadLine(f"is not JSON: {name} is no number there")


def _reasons(error: ValidationError) -> str:
    return "; ".join(map(_reason, error.errors()[:_REASONS_SHOWN]))


def _reason(error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    place = error["loc"][0] if error["loc"] else getattr(cause, "field", "entry")
    # What is no field was made up by whoever wrote the line.
    return f"{place if place in FIELDS else ascii(place)[:_NAME_SHOWN]}: {broken_rule(error)}"
