"""The history of a pickle storage: the changes that are kept, all in memory."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import ChangeNotFound, HistoryForgotten
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt

_revision = attrgetter("revision")


class ChangeLog:
    """All changes after the revision `begin`, the entries they removed, and the receipts.

    Most entries have been changed once: that change is found by the revision of their state.
    Lists are kept of those that were changed again only, since a list and its place for each
    entry would take 15 MB of 100,000.
    """

    def __init__(self) -> None:
        self.begin = 0
        self._changes: list[Change] = []
        self._of: dict[int, list[Change]] = {}
        self._removed: dict[int, TodoEntry] = {}
        self._receipts: dict[str, Receipt] = {}

    def __len__(self) -> int:
        return len(self._changes) + len(self._receipts)

    @property
    def last(self) -> int:
        """The revision of the last change."""
        return self._changes[-1].revision if self._changes else self.begin

    def forget_until(self, revision: int) -> None:
        """Let the history begin at a revision, if it does not begin later."""
        if revision <= self.begin:
            return
        self.begin = revision
        number = self._count_until(revision)
        dropped = Counter(change.entry_id.int for change in self._changes[:number])
        for entry_id, count in dropped.items():
            if entry_id in self._of:
                del self._of[entry_id][:count]
                if not self._of[entry_id]:
                    del self._of[entry_id]
        del self._changes[:number]
        self.forget_removed()

    def remember(self, entry: TodoEntry) -> None:
        """Take in the last state of an entry, of which no change need be known."""
        if entry.removed:
            self._removed[entry.id.int] = entry
        else:
            self._removed.pop(entry.id.int, None)

    def load(self, entries: Sequence[TodoEntry]) -> None:
        """Remember what was read; few entries are, or were, removed."""
        for entry in entries:
            if entry.removed_at is not None or self._removed:
                self.remember(entry)

    def put(self, change: Change) -> None:
        """Take in a change that was stored, later than all others."""
        self._changes.append(change)
        if change.before is not None:
            entry_id = change.entry_id.int
            if entry_id not in self._of:
                self._of[entry_id] = self._change_to(change.before)
            self._of[entry_id].append(change)
        self.remember(change.after)

    def put_receipt(self, receipt: Receipt) -> None:
        """Take in a receipt that was stored."""
        known = [self._find(change.revision) or change for change in receipt.changes]
        self._receipts[receipt.key] = replace(receipt, changes=known)  # each change once only

    def changes(self) -> Sequence[Change]:
        """Answer all changes, the oldest first."""
        return list(self._changes)

    def receipts(self) -> Sequence[Receipt]:
        """Answer all receipts."""
        return list(self._receipts.values())

    def after(self, since: int, *, limit: int) -> Sequence[Change]:
        """Answer the first changes after a revision."""
        start = self._count_until(since)
        return self._changes[start : start + limit]

    def change(self, revision: int) -> Change:
        """Answer the change under a revision; raises ChangeNotFound, HistoryForgotten."""
        if 0 < revision <= self.begin:
            raise HistoryForgotten(revision, self.begin)
        change = self._find(revision)
        if change is None:
            raise ChangeNotFound(revision)
        return change

    def changes_of(self, last: TodoEntry, since: int) -> Sequence[Change]:
        """Answer the changes of an entry after a revision, told by its last state."""
        changes = self._of.get(last.id.int) or self._change_to(last)
        return changes[_count_until(changes, since) :]

    def removed(self, entry_id: UUID) -> TodoEntry | None:
        """Answer the last state of an entry if it is removed, and not forgotten."""
        return self._removed.get(entry_id.int)

    def receipt(self, key: str) -> Receipt | None:
        """Answer the receipt under a key, if there is one."""
        return self._receipts.get(key)

    def forget(self, *, keep: int, receipts_before: datetime) -> None:
        """Drop old receipts, and all changes but the last so many."""
        self._receipts = {
            key: receipt
            for key, receipt in self._receipts.items()
            if receipt.at >= receipts_before
        }
        number = len(self._changes) - keep
        if number > 0:
            self.forget_until(self._changes[number - 1].revision)

    def forget_removed(self) -> None:
        """Drop the entries that were removed before the changes that are kept."""
        self._removed = {
            entry_id: entry
            for entry_id, entry in self._removed.items()
            if entry.revision > self.begin
        }

    def _change_to(self, state: TodoEntry) -> list[Change]:
        """Answer a list of the change that brought an entry to a state, if it is kept."""
        change = self._find(state.revision)
        return [] if change is None else [change]

    def _find(self, revision: int) -> Change | None:
        count = self._count_until(revision)
        last = self._changes[count - 1] if count else None
        return last if last is not None and last.revision == revision else None

    def _count_until(self, revision: int) -> int:
        return _count_until(self._changes, revision)


def _count_until(changes: Sequence[Change], revision: int) -> int:
    return bisect_right(changes, revision, key=_revision)
