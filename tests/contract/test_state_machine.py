"""Every repository against a plain dict, through arbitrary lives of a few entries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cmp_to_key
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from myapp.domain.errors import StaleTodoEntry, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Sort, TagUse, TodoQuery
from tests.contract.entries import entries_of
from tests.contract.few_values import DRAFTS, IDS, MOMENTS, QUERIES, starting_after
from tests.contract.storage_machine import StorageMachine
from tests.contract.storages import Storage
from tests.saving import save_all

STANDING_QUERIES = [
    TodoQuery(search="s", sort=Sort.CONTENT, limit=2),
    TodoQuery(done=False, sort=Sort.DUE, descending=True, limit=2),
]


class Lives(StorageMachine):
    """What is stored, and a dict that says what should be."""

    def __init__(self) -> None:
        super().__init__()
        self._present: dict[UUID, TodoEntry] = {}
        self._removed: dict[UUID, int] = {}
        self._revision = 0

    @rule(drafts=st.lists(DRAFTS, min_size=1, max_size=3))
    def create(self, drafts: list[TodoEntry]) -> None:
        """Store entries as new ones, whether or not something has their ids."""
        self._save(drafts)

    @rule(drafts=st.lists(DRAFTS, min_size=1, max_size=3), at=MOMENTS)
    def change(self, drafts: list[TodoEntry], at: datetime) -> None:
        """Give the entries with these ids other values, or create them."""
        self._save([self._changed(draft, at) for draft in drafts])

    @rule(entry_id=IDS, draft=DRAFTS, at=MOMENTS)
    def remove(self, entry_id: UUID, draft: TodoEntry, at: datetime) -> None:
        """Remove an entry if it is there, and store another one with it."""
        if entry_id in self._present:
            self._save([self._present[entry_id].remove(at=at), self._changed(draft, at)])

    @rule(draft=DRAFTS, apart=st.integers(min_value=-3, max_value=3), at=MOMENTS)
    def save(self, draft: TodoEntry, apart: int, at: datetime) -> None:
        """Store an entry under a revision that may be the right one."""
        current = self._changed(draft, at)
        self._save([replace(current, revision=max(0, current.revision + apart))])

    @rule(entry_id=IDS)
    def get(self, entry_id: UUID) -> None:
        """Ask for an entry that may be there."""
        if entry_id in self._present:
            assert self.run(self.repository.get(entry_id)) == self._present[entry_id]
        else:
            with pytest.raises(TodoEntryNotFound):
                self.run(self.repository.get(entry_id))

    @rule(query=QUERIES, start=st.none() | DRAFTS)
    def find(self, query: TodoQuery, start: TodoEntry | None) -> None:
        """Ask for one page, perhaps one that follows an entry that was never there."""
        matching = self._matching(query)
        following = matching
        if start is not None:
            query = starting_after(query, start)
            following = [entry for entry in matching if _precedes(start, entry, query)]
        page = self.run(self.repository.find(query))
        assert list(page.entries) == following[: query.limit]
        assert (page.next is None) == (len(following) <= query.limit)
        assert page.total == (len(matching) if query.counted else None)
        assert page.revision == self._revision

    @rule(query=QUERIES)
    def walk(self, query: TodoQuery) -> None:
        """Ask for one page after the other."""
        assert self.run(entries_of(self.repository, query)) == self._matching(query)

    @invariant()
    def check(self) -> None:
        """Whatever happens, tags, revision and the same few queries show what is there."""
        entries = self._present.values()
        every = Counter(tag for entry in entries for tag in entry.tags)
        still_open = Counter(tag for entry in entries if not entry.done for tag in entry.tags)
        uses = [TagUse(tag, still_open[tag], every[tag]) for tag in sorted(every)]
        assert list(self.run(self.repository.tags())) == uses
        assert self.run(self.repository.find(TodoQuery(limit=1))).revision == self._revision
        for query in STANDING_QUERIES:
            self.walk(query)

    def _changed(self, draft: TodoEntry, at: datetime) -> TodoEntry:
        before = self._present.get(draft.id)
        if before is None:
            return draft
        return before.change(
            at=at,
            content=draft.content,
            done=draft.done,
            notes=draft.notes,
            tags=draft.tags,
            priority=draft.priority,
            due=draft.due,
        )

    def _save(self, entries: Sequence[TodoEntry]) -> None:
        """Store entries that may be stale, and take down what should have become of them."""
        times_given = Counter(entry.id for entry in entries)
        stale = {
            entry.id
            for entry in entries
            if times_given[entry.id] > 1 or entry.revision not in self._bases_of(entry.id)
        }
        if stale:
            with pytest.raises(StaleTodoEntry) as caught:
                self.run(self.repository.save(*entries))
            assert set(caught.value.entry_ids) == stale
            return
        stored = self.run(save_all(self.repository, *entries))
        assert [replace(entry, revision=0) for entry in stored] == [
            replace(entry, revision=0) for entry in entries
        ]
        for entry in stored:
            assert entry.revision > self._revision
            self._revision = entry.revision
            self._present[entry.id] = entry
            if entry.removed:
                self._removed[entry.id] = self._present.pop(entry.id).revision

    def _bases_of(self, entry_id: UUID) -> set[int]:
        """Answer the revisions that what is stored next under this id may be based on."""
        if entry_id in self._present:
            return {self._present[entry_id].revision}
        return {0, self._removed.get(entry_id, 0)}

    def _matching(self, query: TodoQuery) -> list[TodoEntry]:
        """Answer the entries on all pages of a query."""
        matching = [entry for entry in self._present.values() if query.matches(entry)]

        def compare(one: TodoEntry, other: TodoEntry) -> int:
            return -1 if _precedes(one, other, query) else 1

        return sorted(matching, key=cmp_to_key(compare))


def _precedes(one: TodoEntry, other: TodoEntry, query: TodoQuery) -> bool:
    """Tell whether an entry stands before another one in the order of a query."""
    place: tuple[Any, UUID] = query.sort.key(one), one.id  # the keys of one order are
    other_place: tuple[Any, UUID] = query.sort.key(other), other.id  # all of one type
    if (place[0] is None) != (other_place[0] is None):
        return other_place[0] is None
    return place > other_place if query.descending else place < other_place


def test_a_repository_is_a_dict_that_can_be_asked(storage: Storage) -> None:
    class LivesInThisStorage(Lives):
        _storage = storage

    run_state_machine_as_test(
        LivesInThisStorage, settings=settings(max_examples=15, stateful_step_count=30)
    )
