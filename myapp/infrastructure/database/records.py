"""Records: todo entries as pickles of builtin types, which no class and no module binds.

A payload of the journal is one pickled dict. Its `revision` is the last that the store has
given out. `entries` are states with which the history begins at that revision. `changes` are
what entries became, one after the other, and `receipts` what they were stored for. `begin` is
where the history begins once older changes have been forgotten. Entries and receipts are
tuples, times are microseconds since 1970, days are ISO 8601.

Bandit warns of pickle, which can run code when it reads; _Unpickler refuses all of that.
"""

import io
import pickle  # nosec B403
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.moments import to_microseconds, to_moment

_PRIORITIES = {priority.value: priority for priority in Priority}
_PROTOCOL = 5

_Fields = tuple[Any, ...]  # of a state, or so it seems; what makes an entry of it checks them


@dataclass(frozen=True, slots=True)
class Record:
    """What was stored together, and the last revision that the store has given out.

    Unless `begin` is None the history begins there; with the entries, if there are any.
    """

    revision: int
    begin: int | None
    entries: Sequence[TodoEntry]
    changes: Sequence[TodoEntry]
    receipts: Sequence[Receipt]


def encode(revision: int, entries: Collection[TodoEntry]) -> bytes:
    """Answer the payload of entries with which a history begins."""
    content = {"revision": revision, "entries": [_to_tuple(entry) for entry in entries]}
    return pickle.dumps(content, _PROTOCOL)


def encode_changes(
    revision: int,
    changes: Collection[TodoEntry],
    receipts: Collection[Receipt] = (),
    *,
    begin: int | None = None,
) -> bytes:
    """Answer the payload of what entries became, in the order of their revisions.

    Given `begin`, it tells that nothing is kept of the changes up to that revision.
    """
    content: dict[str, object] = {
        "revision": revision,
        "changes": [_to_tuple(entry) for entry in changes],
    }
    if begin is not None:
        content["begin"] = begin
    if receipts:
        content["receipts"] = [_from_receipt(receipt) for receipt in receipts]
    return pickle.dumps(content, _PROTOCOL)


def decode(payload: bytes) -> Record:
    """Answer what a payload holds; raises ValueError if encode did not make it.

    Nothing in it is ever executed: a pickle that names a class or function is refused.
    """
    try:
        content = _Unpickler(io.BytesIO(payload)).load()
        if ("entries" in content) is ("changes" in content):
            raise ValueError("it has entries as well as changes, or neither")
        entries = [_from_tuple(*fields) for fields in content.get("entries", [])]
        changes = [_from_tuple(*fields) for fields in content.get("changes", [])]
        receipts = [_to_receipt(*fields) for fields in content.get("receipts", [])]
        revision = _revision(content["revision"], [*entries, *changes])
        begin = revision if "entries" in content else _begin(content.get("begin"), revision)
        return Record(revision, begin, entries, changes, receipts)
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


def _begin(begin: object, revision: int) -> int | None:
    if begin is None or type(begin) is int and 0 <= begin <= revision:
        return begin
    raise ValueError("the history does not begin at a revision of the store")


def _from_receipt(receipt: Receipt) -> tuple[object, ...]:
    changes = [
        (None if change.before is None else _to_tuple(change.before), _to_tuple(change.after))
        for change in receipt.changes
    ]
    return receipt.key, receipt.digest, to_microseconds(receipt.at), changes


def _to_receipt(
    key: str,
    digest: str,
    at: int,
    changes: Sequence[tuple[_Fields | None, _Fields]],
) -> Receipt:
    "".join((key, digest))  # raises TypeError unless both are strings
    return Receipt(
        key=key,
        digest=digest,
        at=to_moment(at),
        changes=[
            Change(None if before is None else _from_tuple(*before), _from_tuple(*after))
            for before, after in changes
        ],
    )


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
