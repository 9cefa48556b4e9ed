"""The todo entry and its value objects: what a todo is, and how it may change."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Self, TypedDict, Unpack
from uuid import UUID

from myapp.domain.errors import InvalidValue, TooManyTags
from myapp.domain.text import normalise

CONTENT_MOST = 1_000
NOTES_MOST = 16_000
TAG_MOST = 60
TAGS_MOST = 100

_SEPARATOR = re.compile(r"[\s,/\\]")
_END_OF_DAY = time(23, 59, 59, 999_999, tzinfo=UTC)


class Priority(StrEnum):
    """How much an entry matters; declared, and therefore ranked, from least to most."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """The place among the priorities, 0 for none to 3 for high."""
        return _RANKS[self]


_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True)
class Due:
    """When an entry is due: a day as a whole (a date), or a moment (an aware datetime)."""

    value: date | datetime

    def __post_init__(self) -> None:
        if isinstance(self.value, datetime) and self.value.tzinfo is not UTC:
            object.__setattr__(self, "value", _in_utc("due", self.value))

    @property
    def moment(self) -> datetime:
        """The instant it is compared by: for a day, its last microsecond in UTC."""
        if isinstance(self.value, datetime):
            return self.value
        return datetime.combine(self.value, _END_OF_DAY)


class TodoFields(TypedDict, total=False):
    """What may be written into an entry besides its content and whether it is done."""

    notes: str
    tags: tuple[str, ...]
    priority: Priority
    due: Due | None


TodoState = tuple[
    UUID,
    str,
    str,
    tuple[str, ...],
    Priority,
    Due | None,
    datetime | None,
    datetime | None,
    datetime,
    datetime,
    int,
]
"""The values of a TodoEntry's fields, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoEntry:
    """Something to be done. Immutable and always valid: every change answers a new entry.

    Texts are normalised as they enter; times are aware, in UTC. `revision` is 0 until a
    repository has stored the entry, then the number it was stored under.
    """

    id: UUID
    content: str
    notes: str = ""
    tags: tuple[str, ...] = ()
    priority: Priority = Priority.NONE
    due: Due | None = None
    completed_at: datetime | None = None
    removed_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    revision: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "content", normalise_content(self.content))
        if self.notes:
            put(self, "notes", normalise_notes(self.notes))
        if self.tags:
            put(self, "tags", normalise_tags(self.tags))
        for name in ("created_at", "updated_at", "completed_at", "removed_at"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.tzinfo is not UTC:
                put(self, name, _in_utc(name, moment))
        if self.revision < 0:
            raise InvalidValue("revision", "must not be negative")

    @classmethod
    def create_from_content(
        cls,
        content: str,
        *,
        id: UUID,
        at: datetime,
        done: bool = False,
        **fields: Unpack[TodoFields],
    ) -> Self:
        """Answer a new entry, not stored yet."""
        return cls(
            id=id,
            content=content,
            completed_at=at if done else None,
            created_at=at,
            updated_at=at,
            **fields,
        )

    @classmethod
    def restore(cls, state: TodoState) -> Self:
        """Answer an entry as it was stored, neither checked nor normalised again.

        It was valid when it was stored. Stricter rules or a newer Unicode of a later
        release must not change, or refuse, what was acknowledged under the same revision.
        """
        # Any: mypy does not know that a draft becomes an entry.
        draft: Any = _Draft()
        (
            draft.id,
            draft.content,
            draft.notes,
            draft.tags,
            draft.priority,
            draft.due,
            draft.completed_at,
            draft.removed_at,
            draft.created_at,
            draft.updated_at,
            draft.revision,
        ) = state
        draft.__class__ = cls
        entry: Self = draft
        return entry

    @property
    def done(self) -> bool:
        """Whether the entry has been completed."""
        return self.completed_at is not None

    @property
    def removed(self) -> bool:
        """Whether the entry has been removed: only its history has it any more."""
        return self.removed_at is not None

    @property
    def due_moment(self) -> datetime | None:
        """The instant the entry is due, to compare by."""
        return self.due.moment if self.due else None

    def change(
        self,
        *,
        at: datetime,
        content: str | None = None,
        done: bool | None = None,
        **fields: Unpack[TodoFields],
    ) -> Self:
        """Write what is given; what changes nothing answers the very same entry."""
        values: dict[str, object] = {**fields}
        if content is not None:
            values["content"] = normalise_content(content)
        if "notes" in fields:
            values["notes"] = normalise_notes(fields["notes"])
        if "tags" in fields:
            values["tags"] = normalise_tags(fields["tags"])
        changed = self._with(**values)
        changed = self if changed == self else changed._with(updated_at=_updated(at))
        if done is None:
            return changed
        return changed.complete(at=at) if done else changed.reopen(at=at)

    def complete(self, *, at: datetime) -> Self:
        """Mark the entry done; completing it twice keeps the first moment."""
        if self.completed_at is not None:
            return self
        return self._with(completed_at=_updated(at), updated_at=_updated(at))

    def reopen(self, *, at: datetime) -> Self:
        """Mark the entry not done."""
        if self.completed_at is None:
            return self
        return self._with(completed_at=None, updated_at=_updated(at))

    def remove(self, *, at: datetime) -> Self:
        """Mark the entry removed: once stored so, no reader sees it any more."""
        return self._with(removed_at=_updated(at), updated_at=_updated(at))

    def revert(self, state: Self, *, at: datetime) -> Self:
        """Answer the entry in a state that it once had, to be stored over this one."""
        return state._with(revision=self.revision, updated_at=_updated(at))

    def follows(self, state: Self | None) -> bool:
        """Whether the entry may be stored over this last state, or none: is based on it."""
        if self.revision == 0:
            return state is None or state.removed
        return state is not None and state.revision == self.revision

    def stored(self, revision: int) -> Self:
        """Answer the entry as it is stored under a revision."""
        return self._with(revision=revision)

    def add_tag(self, tag: str, *, at: datetime) -> Self:
        """Answer the entry with the tag; raises TooManyTags when it has all it may."""
        tag = normalise_tag(tag)
        if tag in self.tags:
            return self
        if len(self.tags) >= TAGS_MOST:
            raise TooManyTags(self.id, TAGS_MOST)
        return self._with(tags=tuple(sorted((*self.tags, tag))), updated_at=_updated(at))

    def remove_tag(self, tag: str, *, at: datetime) -> Self:
        """Answer the entry without the tag."""
        tag = normalise_tag(tag)
        if tag not in self.tags:
            return self
        rest = tuple(other for other in self.tags if other != tag)
        return self._with(tags=rest, updated_at=_updated(at))

    def _with(self, **values: object) -> Self:
        """Answer the entry with other values, all valid; what stays is not checked again.

        Of 16,000 code points of notes that would take milliseconds for each change.
        """
        entry = self.restore(_state_of(self))
        for name, value in values.items():
            _SETTERS[name](entry, value)
        return entry


class _Draft:
    """An entry that is not frozen yet: to set its fields takes a third of the time."""

    __slots__ = tuple(field.name for field in fields(TodoEntry))


_SETTERS: Mapping[str, Callable[[TodoEntry, object], None]] = {
    field.name: getattr(TodoEntry, field.name).__set__ for field in fields(TodoEntry)
}
_state_of: Callable[[TodoEntry], TodoState] = attrgetter(*_SETTERS)


def normalise_content(text: str) -> str:
    """Answer the content as it is kept: one line of 1 to CONTENT_MOST code points."""
    content = normalise(text, field="content", most=CONTENT_MOST)
    if not content:
        raise InvalidValue("content", "must not be empty")
    return content


def normalise_notes(text: str) -> str:
    """Answer the notes as they are kept: up to NOTES_MOST code points, lines allowed."""
    return normalise(text, field="notes", most=NOTES_MOST, lines=True)


def normalise_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Answer the different tags as they are kept, sorted by code point, TAGS_MOST at most."""
    return different_tags(map(normalise_tag, tags))


def different_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Answer those of normalised tags that differ, sorted by code point, TAGS_MOST at most."""
    different = tuple(sorted({*tags}))
    if len(different) > TAGS_MOST:
        raise InvalidValue("tags", f"must be {TAGS_MOST} different ones at most")
    return different


def normalise_tag(text: str) -> str:
    """Answer the tag as it is kept: 1 to TAG_MOST code points that fit into a URL's path.

    White space and commas separate tags elsewhere, slashes separate segments of a path,
    and "." and ".." are segments that a client's URL library would walk (RFC 3986, 5.2.4).
    """
    # What is longer may be a tag in a megabyte of white space: that is not to be remembered.
    return _known_tag(text) if len(text) <= TAG_MOST else _checked_tag(text)


def _checked_tag(text: str) -> str:
    tag = normalise(text, field="tags", most=TAG_MOST)
    if not tag:
        raise InvalidValue("tags", "a tag must not be empty")
    if tag in {".", ".."}:
        raise InvalidValue("tags", 'a tag must not be "." or ".."')
    if _SEPARATOR.search(tag):
        rule = "a tag must not contain white space, commas, slashes or backslashes"
        raise InvalidValue("tags", rule)
    return tag


# Few tags on many entries: shared, and checked once.
_known_tag = lru_cache(maxsize=4_096)(_checked_tag)


def _updated(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else _in_utc("updated_at", at)


def _in_utc(field: str, moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise InvalidValue(field, "must be a time with an offset from UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        rule = "must lie within the years 1 to 9999 in UTC"
        raise InvalidValue(field, rule) from error
