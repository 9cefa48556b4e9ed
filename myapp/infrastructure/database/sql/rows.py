"""Todo entries as rows of the table todo_entry, and back."""

from datetime import datetime
from uuid import UUID

from myapp.domain.text import fold
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import Sort
from myapp.infrastructure.database.moments import to_microseconds, to_moment
from myapp.infrastructure.database.sql.schema import todo_entry

ENTRY_COLUMNS = tuple(
    todo_entry.c[name]
    for name in (
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
)
"""What to_entry needs, in its order."""

_PRIORITIES = tuple(Priority)
_BETWEEN_TEXTS = "\x1f"  # which neither a text nor a search may contain


def to_row(entry: TodoEntry, number: int) -> dict[str, object]:
    """Answer the values of every column of the row with this number."""
    return {
        "number": number,
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
        "content_key": Sort.CONTENT.key(entry),
        "search_text": f"{fold(entry.content)}{_BETWEEN_TEXTS}{fold(entry.notes)}",
    }


def to_entry(
    id: UUID,
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
) -> TodoEntry:
    """Answer the entry that the values of ENTRY_COLUMNS tell."""
    created = to_moment(created_at)
    return TodoEntry.restore(
        (
            UUID(int=id.int),  # a driver may answer a class of its own
            content,
            notes,
            tuple(tags.split()),
            _PRIORITIES[priority],
            None if due is None else _to_due(to_moment(due), is_day=due_is_day),
            None if completed_at is None else to_moment(completed_at),
            None,  # what is removed has no row
            created,
            created if updated_at == created_at else to_moment(updated_at),
            revision,
        )
    )


def _to_due(moment: datetime, *, is_day: bool) -> Due:
    return Due(moment.date() if is_day else moment)
