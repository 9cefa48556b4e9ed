"""Todo entries as rows of the tables todo_entry and todo_change, and back."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.text import fold
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import Sort
from myapp.infrastructure.database.ids import to_id
from myapp.infrastructure.database.moments import to_microseconds, to_moment
from myapp.infrastructure.database.sql.schema import todo_entry

_STATE = (
    "id",
    "content",
    "notes",
    "tags",
    "priority",
    "due",
    "due_is_day",
    "completed_at",
    "created_at",
    "updated_at",
    "revision",
)

ENTRY_COLUMNS = tuple(todo_entry.c[name] for name in _STATE)
"""What to_entry needs of an entry that is there, in its order."""

STATE_NAMES = (*_STATE, "removed_at")
"""The names of the columns that to_entry needs of a state in todo_change, in its order."""

_PRIORITIES = tuple(Priority)
_BETWEEN_TEXTS = "\x1f"  # which neither a text nor a search may contain


def to_row(entry: TodoEntry, number: int) -> dict[str, object]:
    """Answer the values of every column of the row of todo_entry with this number."""
    return {
        **_to_state(entry),
        "number": number,
        "content_key": Sort.CONTENT.key(entry),
        "search_text": f"{fold(entry.content)}{_BETWEEN_TEXTS}{fold(entry.notes)}",
    }


def to_change_row(
    entry: TodoEntry, *, previous: int | None = None, next: int | None = None
) -> dict[str, object]:
    """Answer the values of every column of the row of todo_change for a state."""
    return {
        **_to_state(entry),
        "removed_at": to_microseconds(entry.removed_at),
        "previous": previous,
        "next": next,
    }


def to_json(changes: Sequence[Change]) -> str:
    """Answer changes as text, for a receipt to have them whatever becomes of the tables."""
    states = [[_to_values(c.before), _to_values(c.after)] for c in changes]
    return json.dumps(states, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Sequence[Change]:
    """Answer the changes that to_json has made the text of."""
    return [
        Change(None if before is None else _from_values(before), _from_values(after))
        for before, after in json.loads(text)
    ]


def to_entry(
    id: UUID | str,
    content: str,
    notes: str,
    tags: str,
    priority: int,
    due: int | None,
    due_is_day: bool,
    completed_at: int | None,
    created_at: int,
    updated_at: int,
    revision: int,
    removed_at: int | None = None,
) -> TodoEntry:
    """Answer the entry that the values of ENTRY_COLUMNS tell, or of STATE_NAMES."""
    created = to_moment(created_at)
    return TodoEntry.restore(
        (
            # SQLite has texts, and PostgreSQL's driver a class of its own.
            to_id(int(id, 16) if isinstance(id, str) else id.int),
            content,
            notes,
            tuple(tags.split()),
            _PRIORITIES[priority],
            None if due is None else _to_due(to_moment(due), is_day=due_is_day),
            None if completed_at is None else to_moment(completed_at),
            None if removed_at is None else to_moment(removed_at),
            created,
            created if updated_at == created_at else to_moment(updated_at),
            revision,
        )
    )


def _to_values(state: TodoEntry | None) -> dict[str, object] | None:
    """Answer the values of STATE_NAMES by name, as JSON knows them."""
    if state is None:
        return None
    removed_at = to_microseconds(state.removed_at)
    return {**_to_state(state), "id": state.id.hex, "removed_at": removed_at}


def _from_values(values: Mapping[str, Any]) -> TodoEntry:  # as _to_values has made them
    return to_entry(**values)


def _to_state(entry: TodoEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "content": entry.content,
        "notes": entry.notes,
        "tags": " ".join(entry.tags),
        "priority": entry.priority.rank,
        "due": to_microseconds(entry.due_moment),
        "due_is_day": entry.due is not None and not isinstance(entry.due.value, datetime),
        "completed_at": to_microseconds(entry.completed_at),
        "created_at": to_microseconds(entry.created_at),
        "updated_at": to_microseconds(entry.updated_at),
        "revision": entry.revision,
    }


def _to_due(moment: datetime, *, is_day: bool) -> Due:
    return Due(moment.date() if is_day else moment)
