"""Entries as JSON, as TodoEntrySchema has them, but read from the entities themselves.

The schema would first copy each into a model. msgspec takes half of the time that pydantic's
core takes for the same: 97 instead of 195 microseconds for 50 entries, in one run.
"""

from collections.abc import Iterable
from uuid import UUID

from msgspec.json import Encoder

from myapp.domain.todo import TodoEntry

_encode = Encoder().encode


def entry_json(entry: TodoEntry) -> bytes:
    """Answer an entry."""
    return _encode(_members(entry))


def entries_json(entries: Iterable[TodoEntry]) -> bytes:
    """Answer an array of entries."""
    return _encode([_members(entry) for entry in entries])


def id_or_entry_json(answer: UUID | TodoEntry) -> bytes:
    """Answer an entry, or just an id."""
    return _encode(answer) if isinstance(answer, UUID) else entry_json(answer)


def _members(entry: TodoEntry) -> dict[str, object]:
    due, completed_at = entry.due, entry.completed_at
    return {
        "id": entry.id,
        "content": entry.content,
        "notes": entry.notes,
        "tags": entry.tags,
        "priority": entry.priority,
        "due": None if due is None else due.value,
        "done": completed_at is not None,
        "completed_at": completed_at,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "revision": entry.revision,
    }
