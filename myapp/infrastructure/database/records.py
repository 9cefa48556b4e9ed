"""Records: todo entries as pickles of builtin types, which no class and no module binds.

A payload of the journal is one pickled dict: `revision`, the last that the store has given
out, and `entries`, a list of tuples. Times are microseconds since 1970, days are ISO 8601.

Bandit warns of pickle, which can run code when it reads; _Unpickler refuses all of that.
"""

import io
import pickle  # nosec B403
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.infrastructure.database.moments import to_microseconds, to_moment

_PRIORITIES = {priority.value: priority for priority in Priority}
_PROTOCOL = 5


@dataclass(frozen=True, slots=True)
class Record:
    """Entries stored together, and the last revision that the store has given out."""

    revision: int
    entries: Sequence[TodoEntry]


def encode(revision: int, entries: Collection[TodoEntry]) -> bytes:
    """Answer the payload that decodes to these entries."""
    content = {"revision": revision, "entries": [_to_tuple(entry) for entry in entries]}
    return pickle.dumps(content, _PROTOCOL)


def decode(payload: bytes) -> Record:
    """Answer what a payload holds; raises ValueError if encode did not make it.

    Nothing in it is ever executed: a pickle that names a class or function is refused.
    """
    try:
        content = _Unpickler(io.BytesIO(payload)).load()
        entries = [_from_tuple(*fields) for fields in content["entries"]]
        return Record(_revision(content["revision"], entries), entries)
    except Exception as error:  # a forged pickle may raise anything
        raise ValueError(f"not a record of todo entries: {error}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> object:
        """Refuse, whatever it is: a record is made of builtin types only."""
        raise pickle.UnpicklingError(f"it refers to {module_name}.{global_name}")


def _revision(revision: object, entries: Sequence[TodoEntry]) -> int:
    least = max((entry.revision for entry in entries), default=0)
    if type(revision) is not int or revision < least:
        raise ValueError("the revision is none, or smaller than an entry's")
    return revision


def _to_tuple(entry: TodoEntry) -> tuple[object, ...]:
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


def _from_tuple(
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
    if type(tags) is not tuple or type(revision) is not int or revision < 1:
        raise TypeError("a field has another type than it is written with")
    "".join((content, notes, *tags))  # raises TypeError unless all are strings
    created = to_moment(created_at)
    return TodoEntry.restore(
        (
            UUID(bytes=id),
            content,
            notes,
            tags,
            _PRIORITIES[priority],
            _to_due(due),
            None if completed_at is None else to_moment(completed_at),
            None if removed_at is None else to_moment(removed_at),
            created,
            created if updated_at == created_at else to_moment(updated_at),
            revision,
        )
    )


def _from_due(due: Due | None) -> int | str | None:
    if due is None:
        return None
    if isinstance(due.value, datetime):
        return to_microseconds(due.value)
    return due.value.isoformat()


def _to_due(stored: int | str | None) -> Due | None:
    if stored is None:
        return None
    if isinstance(stored, str):
        return Due(date.fromisoformat(stored))
    return Due(to_moment(stored))
