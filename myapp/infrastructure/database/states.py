"""A state of an entry as a tuple of builtin types, and back."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.infrastructure.database.ids import SIZE, to_id
from myapp.infrastructure.database.moments import to_microseconds, to_moment

Fields = tuple[Any, ...]
"""Those of a state, or so it seems; what makes an entry of them checks each."""

TAGS_MOST = 1_000
"""Tags that one entry may have when it is read; it never could have more than a tenth."""

PRIORITIES = {priority.value: priority for priority in Priority}

_STRING = {str}


def to_tuple(entry: TodoEntry) -> Fields:
    """Answer the fields of a state: times in microseconds since 1970, days in ISO 8601."""
    return (
        entry.id.bytes,
        entry.content,
        entry.notes,
        entry.tags,
        entry.priority.value,
        _from_due(entry.due),
        to_microseconds(entry.completed_at),
        to_microseconds(entry.removed_at),
        to_microseconds(entry.created_at),
        to_microseconds(entry.updated_at),
        entry.revision,
    )


def from_tuple(
    id: bytes,
    content: str,
    notes: str,
    tags: tuple[str, ...],
    priority: str,
    due: int | str | None,
    completed_at: int | None,
    removed_at: int | None,
    created_at: int,
    updated_at: int,
    revision: int,
) -> TodoEntry:
    """Answer the state; raises an exception of some kind if the fields are none of one."""
    if type(id) is not bytes or type(tags) is not tuple or len(tags) > TAGS_MOST:
        raise TypeError("an entry has no id, or no tags")
    if len(id) != SIZE:
        raise ValueError("an id has 16 bytes")
    if type(revision) is not int or revision < 1:
        raise TypeError("an entry has no revision")
    if type(content) is not str or type(notes) is not str or type(priority) is not str:
        raise TypeError("a text is no string")
    if tags:
        check_texts(tags)
    created = to_moment(created_at)
    return TodoEntry.restore(
        (
            to_id(int.from_bytes(id)),
            content,
            notes,
            tags,
            PRIORITIES[priority],
            to_due(due),
            None if completed_at is None else to_moment(completed_at),
            None if removed_at is None else to_moment(removed_at),
            created,
            created if updated_at == created_at else to_moment(updated_at),
            revision,
        )
    )


def to_due(stored: int | str | None) -> Due | None:
    """Answer when an entry is due; raises TypeError, ValueError, OverflowError."""
    if stored is None:
        return None
    return _due_on(stored) if isinstance(stored, str) else Due(to_moment(stored))


def check_texts(texts: Iterable[object]) -> None:
    """Raise TypeError unless all are strings."""
    if not _STRING.issuperset(map(type, texts)):
        raise TypeError("a text is no string")


@lru_cache(maxsize=4_096)  # few days on many entries
def _due_on(day: str) -> Due:
    return Due(date.fromisoformat(day))


def _from_due(due: Due | None) -> int | str | None:
    if due is None:
        return None
    if isinstance(due.value, datetime):
        return to_microseconds(due.value)
    return due.value.isoformat()
