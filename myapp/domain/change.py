"""What happens to todo entries: every save of one is a change, and may be undone."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from myapp.domain.errors import TodoError
from myapp.domain.todo import TodoEntry


class ChangeKind(StrEnum):
    """What a change did, by its most telling effect."""

    ADDED = "added"
    REMOVED = "removed"
    RESTORED = "restored"
    COMPLETED = "completed"
    REOPENED = "reopened"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Change:
    """What one save did to one entry: the state it had before, if any, and the one after.

    Being removed is a state too. The revision that `after` was stored under is the
    change's own: of all changes of the store, no two have the same.
    """

    before: TodoEntry | None
    after: TodoEntry

    @property
    def revision(self) -> int:
        """The number the change was stored under."""
        return self.after.revision

    @property
    def entry_id(self) -> UUID:
        """Which entry it changed."""
        return self.after.id

    @property
    def at(self) -> datetime:
        """When it was made."""
        return self.after.updated_at

    @property
    def kind(self) -> ChangeKind:
        """What it did; completing and reopening outrank what else was written with them."""
        if self.after.removed:
            return ChangeKind.REMOVED
        if self.before is None:
            return ChangeKind.ADDED
        if self.before.removed:
            return ChangeKind.RESTORED
        if self.before.done != self.after.done:
            return ChangeKind.COMPLETED if self.after.done else ChangeKind.REOPENED
        return ChangeKind.EDITED

    @property
    def tags(self) -> frozenset[str]:
        """The tags that the entry carried before or after it."""
        return frozenset(self.after.tags).union(self.before.tags if self.before else ())

    def undo(self, *, at: datetime) -> TodoEntry:
        """Answer the entry in the state it had before, to be stored over the one after."""
        if self.before is None or self.before.removed:
            return self.after.remove(at=at)
        return self.after.revert(self.before, at=at)


def present(state: TodoEntry | None) -> TodoEntry | None:
    """Answer the last state of an entry if it is there: stored, and not removed."""
    return None if state is None or state.removed else state


class ChangedSince(TodoError):
    """A change cannot be undone, since its entry has been changed again.

    `current` is the state that the entry has by now, None if it is removed.
    """

    def __init__(self, change: Change, current: TodoEntry | None) -> None:
        super().__init__(
            f"The todo entry {change.entry_id} has been changed again since revision"
            f" {change.revision}."
        )
        self.change = change
        self.current = current
