"""Every repository: what any client that follows the changes knows, through arbitrary lives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from myapp.domain.change import Change
from myapp.domain.errors import (
    ChangeNotFound,
    HistoryForgotten,
    InvalidValue,
    ReceiptExists,
    StaleTodoEntry,
    TodoEntryNotFound,
)
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database import journal_writer
from myapp.infrastructure.database.sql import sql_todo_history
from tests.contract import few_values
from tests.contract.few_values import MOMENTS
from tests.contract.following import follow, follow_entry, replayed
from tests.contract.storage_machine import StorageMachine
from tests.contract.storages import Storage

IDS = st.sampled_from([UUID(int=number) for number in range(3)])
DRAFTS = st.lists(
    st.builds(replace, few_values.DRAFTS, id=IDS),
    min_size=1,
    max_size=3,
    unique_by=lambda draft: draft.id,
)
KEYS = st.sampled_from(["one", "two"])
LIMITS = st.sampled_from([1, 2, 3, 100])
PLACES = st.integers(min_value=0, max_value=99)  # among as many as there are by then


class Histories(StorageMachine):
    """All that was ever stored, and how much of it must still be kept.

    Once a storage has been opened again it may have kept more than it must.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[int, Mapping[UUID, TodoEntry]] = {0: {}}  # at each revision
        self._changes: dict[int, Change] = {}
        self._states: dict[UUID, TodoEntry] = {}  # the last ones, of removed entries too
        self._receipts: dict[str, Receipt] = {}
        self._expired: set[str] = set()  # the keys of receipts that may be forgotten
        self._begin = 0  # all that is after this revision is kept

    @rule(drafts=DRAFTS, at=MOMENTS)
    def write(self, drafts: Sequence[TodoEntry], at: datetime) -> None:
        """Create entries, or give those that are there other values."""
        self._save([self._written(draft, at) for draft in drafts])

    @rule(drafts=DRAFTS, at=MOMENTS, key=KEYS)
    def write_once(self, drafts: Sequence[TodoEntry], at: datetime, key: str) -> None:
        """Do it with a receipt, unless there is one of that key."""
        entries = [self._written(draft, at) for draft in drafts]
        receipt = Receipt(key=key, digest=f"of {self._revision}", at=at)
        if self._is_used(key):
            with pytest.raises(ReceiptExists):
                self.run(self.repository.save(*entries, receipt=receipt))
        else:
            self._save(entries, receipt)

    @rule(entry_id=IDS, draft=DRAFTS, at=MOMENTS)
    def remove(self, entry_id: UUID, draft: Sequence[TodoEntry], at: datetime) -> None:
        """Remove an entry, and write others with it."""
        if entry_id in self._list:
            others = [self._written(other, at) for other in draft if other.id != entry_id]
            self._save([self._list[entry_id].remove(at=at), *others])

    @rule(entry_id=IDS, at=MOMENTS)
    def restore(self, entry_id: UUID, at: datetime) -> None:
        """Base an entry on its removal, which may be forgotten."""
        state = self._states.get(entry_id)
        if state is None or not state.removed:
            return
        restored = replace(state, removed_at=None, updated_at=at)
        try:
            self._save([restored])
        except StaleTodoEntry:
            assert state.revision <= self._begin

    @rule(draft=DRAFTS)
    def save_what_is_stale(self, draft: Sequence[TodoEntry]) -> None:
        """Base an entry on a revision that it never had."""
        with pytest.raises(StaleTodoEntry):
            stale = replace(draft[0], revision=self._revision + 1)
            self.run(self.repository.save(stale, *draft[1:]))

    @precondition(lambda self: self._changes)
    @rule(place=PLACES, at=MOMENTS)
    def undo(self, place: int, at: datetime) -> None:
        """Undo a change that is kept and whose entry was not changed since."""
        revision = self._pick(place, self._changes)
        change = self._changes[revision]
        if revision <= self._begin or self._states[change.entry_id] != change.after:
            return
        before = self._lists[self._preceding(revision)].get(change.entry_id)
        kept = self.run(self.repository.history.change(revision))
        self._save([kept.undo(at=at)])
        after = self._list.get(change.entry_id)
        assert _timeless(after) == _timeless(before)

    @rule(keep=st.integers(min_value=0, max_value=8), before=MOMENTS)
    def forget(self, keep: int, before: datetime) -> None:
        """Drop what need not be kept."""
        self.run(self.repository.history.forget(keep=keep, receipts_before=before))
        older = sorted(self._changes)[: max(0, len(self._changes) - keep)]
        self._begin = max([self._begin, *older])
        self._expired |= {key for key, one in self._receipts.items() if one.at < before}

    @rule(place=PLACES, limit=LIMITS)
    def follow(self, place: int, limit: int) -> None:
        """Follow from any point: whoever may, knows in the end what is in the list."""
        since = self._pick(place, self._lists)
        try:
            changes = self.run(follow(self.repository.history, since, limit=limit))
        except HistoryForgotten:
            assert since < self._begin
            return
        assert replayed(self._lists[since], changes) == self._list
        self._assert_known(changes, [known for known in self._changes if known > since])

    @rule(place=PLACES, limit=LIMITS, entry_id=IDS)
    def follow_entry(self, place: int, limit: int, entry_id: UUID) -> None:
        """Follow one entry from any point."""
        since = self._pick(place, self._lists)
        history = self.repository.history
        try:
            changes = self.run(follow_entry(history, entry_id, since, limit=limit))
        except HistoryForgotten:
            assert since < self._begin
        except TodoEntryNotFound:
            assert not self._must_be_known(entry_id)
        else:
            known = [revision for revision in self._changes_of(entry_id) if revision > since]
            self._assert_known(changes, known)

    @rule(limit=LIMITS, entry_id=IDS)
    def read_all_of_an_entry(self, limit: int, entry_id: UUID) -> None:
        """Follow one entry from as far back as anything is kept."""
        try:
            changes = self.run(follow_entry(self.repository.history, entry_id, limit=limit))
        except TodoEntryNotFound:
            assert not self._must_be_known(entry_id)
            return
        known = self._changes_of(entry_id)
        needed = [revision for revision in known if revision > self._begin]
        assert len(changes) >= len(needed)
        self._assert_known(changes, known[len(known) - len(changes) :])

    @rule(place=PLACES, entry_id=IDS)
    def read_entry_as_it_was(self, place: int, entry_id: UUID) -> None:
        """Ask for an entry as it was at any revision."""
        revision = self._pick(place, self._lists)
        entry: TodoEntry | None = None
        try:
            entry = self.run(self.repository.history.entry_at(entry_id, revision))
        except HistoryForgotten:
            assert revision < self._begin
            return
        except TodoEntryNotFound:
            pass
        assert entry == self._lists[revision].get(entry_id)

    @precondition(lambda self: self._changes)
    @rule(place=PLACES)
    def read_change(self, place: int) -> None:
        """Ask for any change."""
        revision = self._pick(place, self._changes)
        try:
            change = self.run(self.repository.history.change(revision))
        except HistoryForgotten:
            assert revision <= self._begin
        else:
            self._assert_known([change], [revision])

    @rule(entry_id=IDS)
    def look_ahead(self, entry_id: UUID) -> None:
        """Ask for what has not happened yet."""
        history, beyond = self.repository.history, self._revision + 1
        with pytest.raises(InvalidValue):
            self.run(history.changes(beyond, limit=1))
        with pytest.raises(InvalidValue):
            self.run(history.changes_of(entry_id, since=beyond, limit=1))
        with pytest.raises(InvalidValue):
            self.run(history.entry_at(entry_id, beyond))
        with pytest.raises(ChangeNotFound):
            self.run(history.change(beyond))

    @rule(entry_ids=st.sets(IDS))
    def last_states(self, entry_ids: set[UUID]) -> None:
        """Ask for some entries."""
        expected = {id: entry for id, entry in self._list.items() if id in entry_ids}
        states = self.run(self.repository.last_states(entry_ids))
        assert {id: state for id, state in states.items() if not state.removed} == expected

    @invariant()
    def check(self) -> None:
        """Whatever happens, what must be kept can be followed, and receipts be read."""
        assert self.run(self.repository.history.revision()) == self._revision
        changes = self.run(follow(self.repository.history, self._begin, limit=3))
        self._assert_known(changes, [known for known in self._changes if known > self._begin])
        for key in self._receipts:
            assert self._is_used(key) or key in self._expired

    @property
    def _revision(self) -> int:
        return max(self._lists)

    @property
    def _list(self) -> Mapping[UUID, TodoEntry]:
        return self._lists[self._revision]

    def _written(self, draft: TodoEntry, at: datetime) -> TodoEntry:
        before = self._list.get(draft.id)
        return draft if before is None else replace(draft, revision=before.revision)

    def _save(self, entries: Sequence[TodoEntry], receipt: Receipt | None = None) -> None:
        """Store entries, and take down what was answered once it is found right."""
        changes = self.run(self.repository.save(*entries, receipt=receipt))
        assert [replace(change.after, revision=0) for change in changes] == [
            replace(entry, revision=0) for entry in entries
        ]
        for change in changes:
            state = self._states.get(change.entry_id)
            assert change.before == state or self._is_forgotten(state, change.before)
            assert change.revision > self._revision
            self._lists[change.revision] = replayed(self._list, [change])
            self._changes[change.revision] = change
            self._states[change.entry_id] = change.after
        if receipt is not None:
            self._receipts[receipt.key] = replace(receipt, changes=list(changes))
            self._expired.discard(receipt.key)

    def _is_forgotten(self, state: TodoEntry | None, known: TodoEntry | None) -> bool:
        """Whether a removed state need not be known any more, and is not."""
        return (
            known is None
            and state is not None
            and state.removed
            and state.revision <= self._begin
        )

    def _is_used(self, key: str) -> bool:
        """Whether there is a receipt under a key; check that it is the one stored last."""
        found = self.run(self.repository.receipt(key))
        if found is None:
            return False
        stored = self._receipts[key]
        assert replace(found, changes=()) == replace(stored, changes=())
        self._assert_known(found.changes, [change.revision for change in stored.changes])
        return True

    def _assert_known(self, changes: Sequence[Change], revisions: Sequence[int]) -> None:
        """Fail unless these are the changes that were stored under these revisions."""
        assert list(changes) == [self._changes[revision] for revision in revisions]

    def _must_be_known(self, entry_id: UUID) -> bool:
        return entry_id in self._list or any(
            revision > self._begin for revision in self._changes_of(entry_id)
        )

    def _changes_of(self, entry_id: UUID) -> Sequence[int]:
        changes = self._changes.items()
        return [revision for revision, change in changes if change.entry_id == entry_id]

    def _preceding(self, revision: int) -> int:
        return max(other for other in self._lists if other < revision)

    @staticmethod
    def _pick(place: int, revisions: Mapping[int, object]) -> int:
        return sorted(revisions)[place % len(revisions)]


def _timeless(entry: TodoEntry | None) -> TodoEntry | None:
    """Answer the entry but for when, and under which number, it was stored."""
    return entry and replace(entry, updated_at=entry.created_at, revision=0)


def test_who_follows_from_any_point_knows_what_is_in_the_list(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "_COMPACT_BEYOND", 0)  # again and again
    monkeypatch.setattr(sql_todo_history, "_FORGOTTEN_AT_ONCE", 2)  # bit by bit

    class HistoriesOfThisStorage(Histories):
        _storage = storage

    run_state_machine_as_test(
        HistoriesOfThisStorage, settings=settings(max_examples=20, stateful_step_count=40)
    )
