"""The changes that can be asked for, made to an entry that may or may not be there."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Unpack
from uuid import UUID

from myapp.domain.errors import TodoEntryExists, TodoEntryNotFound, TodoError
from myapp.domain.todo import TodoEntry, TodoFields

Edit = Callable[[UUID, TodoEntry | None, datetime], TodoEntry]
"""Answers what becomes, at a time, of the entry with an id; raises a TodoError."""


class Operation(NamedTuple):
    """One step of a batch: an edit of the entry with an id, or (None) of one with a new id."""

    entry_id: UUID | None
    edit: Edit


class OperationFailed(TodoError):
    """One operation of many could not be carried out, and so none was; `index` is from 0 on."""

    def __init__(self, index: int, error: TodoError) -> None:
        super().__init__(f"Operation {index}: {error}")
        self.index = index
        self.error = error


def create(content: str, *, done: bool = False, **fields: Unpack[TodoFields]) -> Edit:
    """Make a new entry; raises TodoEntryExists."""

    def edit(entry_id: UUID, entry: TodoEntry | None, at: datetime) -> TodoEntry:
        if entry is not None:
            raise TodoEntryExists(entry_id)
        return TodoEntry.create_from_content(content, id=entry_id, at=at, done=done, **fields)

    return edit


def put(content: str, *, done: bool = False, **fields: Unpack[TodoFields]) -> Edit:
    """Make a new entry, or write these fields of the one that is there."""
    new = create(content, done=done, **fields)

    def edit(entry_id: UUID, entry: TodoEntry | None, at: datetime) -> TodoEntry:
        if entry is None:
            return new(entry_id, entry, at)
        return entry.change(at=at, content=content, done=done, **fields)

    return edit


def change(
    *, content: str | None = None, done: bool | None = None, **fields: Unpack[TodoFields]
) -> Edit:
    """Write the fields given, leave the others; raises TodoEntryNotFound."""
    return _existing(
        lambda entry, at: entry.change(at=at, content=content, done=done, **fields)
    )


def remove() -> Edit:
    """Remove the entry; raises TodoEntryNotFound."""
    return _existing(lambda entry, at: entry.remove(at=at))


def add_tag(tag: str) -> Edit:
    """Put the tag on the entry; raises TodoEntryNotFound, TooManyTags."""
    return _existing(lambda entry, at: entry.add_tag(tag, at=at))


def remove_tag(tag: str) -> Edit:
    """Take the tag off the entry; raises TodoEntryNotFound."""
    return _existing(lambda entry, at: entry.remove_tag(tag, at=at))


def _existing(change_it: Callable[[TodoEntry, datetime], TodoEntry]) -> Edit:
    def edit(entry_id: UUID, entry: TodoEntry | None, at: datetime) -> TodoEntry:
        if entry is None:
            raise TodoEntryNotFound(entry_id)
        return change_it(entry, at)

    return edit
