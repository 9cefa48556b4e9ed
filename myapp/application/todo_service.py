"""The use cases of the todo service: get, tell the entry, save."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, Unpack
from uuid import UUID
from weakref import WeakValueDictionary

from myapp.application import edits
from myapp.application.edits import Edit, Operation, OperationFailed
from myapp.application.message_bus import MessageBus
from myapp.application.retrying import LostRace, retry
from myapp.domain.change import Change, ChangedSince, present
from myapp.domain.errors import (
    KeyReused,
    ReceiptExists,
    StaleTodoEntry,
    TodoEntryExists,
    TodoEntryNotFound,
    TodoError,
)
from myapp.domain.todo import TodoEntry, TodoFields
from myapp.domain.todo_entry_repository import (
    Page,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import ChangePage

CHANGES_KEPT = 100_000
"""So many changes the history has at least, unless another number is wished for."""

RECEIPTS_KEPT = timedelta(hours=24)
"""So long, at least, a request is not carried out again under the same key."""

_STEPS_AT_ONCE = 20

_Step = tuple[UUID, Edit]
_Request = Callable[[Receipt | None], Awaitable[Sequence[Change]]]


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of the stored entry for a change of it to be made.

    `revisions`: its revision is one of these. `exists`: it is there (True), or is not
    (False). By default anything goes.
    """

    revisions: frozenset[int] | None = None
    exists: bool | None = None

    def check(self, entry_id: UUID, entry: TodoEntry | None) -> None:
        """Raise StaleTodoEntry or TodoEntryExists if the condition does not hold."""
        if entry is not None and self.exists is False:
            raise TodoEntryExists(entry_id)
        if entry is None and (self.exists or self.revisions is not None):
            raise StaleTodoEntry(entry_id)
        if entry is not None and self.revisions is not None:
            if entry.revision not in self.revisions:
                raise StaleTodoEntry(entry_id)


ALWAYS = Condition()


class Transition(NamedTuple):
    """What a use case did: the entry before (None: it was not there) and after."""

    before: TodoEntry | None
    after: TodoEntry


class IdempotencyKey(NamedTuple):
    """A client's name for a request that it may send again, and a digest of that request."""

    value: str
    digest: str


@dataclass(slots=True)
class TodoService:
    """What can be done with todos, whoever asks through whichever channel.

    A change without a condition is made to the newest state of its entry and never lost:
    within this process the changes of an entry wait for each other, and one that loses
    against another process is made again. A request under a key that has been carried out
    answers what it answered then. What is stored is published on the bus. `wait` sleeps for
    a number of seconds; `kept_changes` is how many the history has at least.
    """

    repository: TodoEntryRepository
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    bus: MessageBus = field(default_factory=MessageBus)
    kept_changes: int = CHANGES_KEPT
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    _locks: WeakValueDictionary[UUID | str, asyncio.Lock] = field(
        default_factory=WeakValueDictionary, init=False
    )

    async def add_entry(
        self,
        content: str,
        *,
        key: IdempotencyKey | None = None,
        done: bool = False,
        **fields: Unpack[TodoFields],
    ) -> TodoEntry:
        """Store a new entry."""
        edit = edits.create(content, done=done, **fields)

        async def add(receipt: Receipt | None) -> Sequence[Change]:
            entry = edit(self.new_id(), None, self.now())
            return await self._save([entry], receipt)

        (change,) = await self._once(key, add)
        return change.after

    async def get_entry(self, entry_id: UUID, *, at: int | None = None) -> TodoEntry:
        """Answer the entry, or what it was at a revision of the store.

        Raises TodoEntryNotFound, HistoryForgotten, InvalidValue.
        """
        if at is not None:
            return await self.repository.history.entry_at(entry_id, at)
        return await self.repository.get(entry_id)

    async def find_entries(self, query: TodoQuery) -> Page:
        """Answer one page of the entries that match."""
        return await self.repository.find(query)

    async def put_entry(
        self,
        entry_id: UUID,
        content: str,
        *,
        condition: Condition = ALWAYS,
        done: bool = False,
        **fields: Unpack[TodoFields],
    ) -> Transition:
        """Create the entry under this id, or write these fields of the one that is there."""
        return await self._store(entry_id, edits.put(content, done=done, **fields), condition)

    async def change_entry(
        self,
        entry_id: UUID,
        *,
        condition: Condition = ALWAYS,
        content: str | None = None,
        done: bool | None = None,
        **fields: Unpack[TodoFields],
    ) -> TodoEntry:
        """Write the fields given, leave the others; raises TodoEntryNotFound."""
        edit = edits.change(content=content, done=done, **fields)
        return (await self._store(entry_id, edit, condition)).after

    async def remove_entry(self, entry_id: UUID, *, condition: Condition = ALWAYS) -> None:
        """Remove the entry; raises TodoEntryNotFound."""
        await self._store(entry_id, edits.remove(), condition)

    async def add_tag(
        self, entry_id: UUID, tag: str, *, condition: Condition = ALWAYS
    ) -> TodoEntry:
        """Put the tag on the entry; raises TodoEntryNotFound, TooManyTags."""
        return (await self._store(entry_id, edits.add_tag(tag), condition)).after

    async def remove_tag(
        self, entry_id: UUID, tag: str, *, condition: Condition = ALWAYS
    ) -> TodoEntry:
        """Take the tag off the entry; raises TodoEntryNotFound."""
        return (await self._store(entry_id, edits.remove_tag(tag), condition)).after

    async def carry_out(
        self,
        operations: Sequence[Operation],
        *,
        dry_run: bool = False,
        key: IdempotencyKey | None = None,
    ) -> Sequence[Change]:
        """Store what all the operations do, one after the other, or nothing at all.

        Answers one change for each entry that is another in the end, in the order in which
        they were first touched. A dry run stores nothing: what it answers has the revisions
        that the entries have now. Raises OperationFailed.
        """
        steps = [(entry_id or self.new_id(), edit) for entry_id, edit in operations]
        if dry_run:
            return await self._prepare(steps)
        return await self._once(key, partial(self._store_all, steps))

    async def get_changes(self, since: int, *, limit: int) -> ChangePage:
        """Answer what has changed after a revision; raises HistoryForgotten, InvalidValue."""
        return await self.repository.history.changes(since, limit=limit)

    async def get_changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        """Answer what has become of an entry after a revision, or as far back as is kept.

        Raises TodoEntryNotFound, HistoryForgotten, InvalidValue.
        """
        return await self.repository.history.changes_of(entry_id, since=since, limit=limit)

    async def undo(self, revision: int, *, key: IdempotencyKey | None = None) -> Change:
        """Give an entry the state back that it had before a change, which is a change too.

        Raises ChangeNotFound, HistoryForgotten, ChangedSince.
        """
        (undone,) = await self._once(key, partial(self._undo, revision))
        return undone

    async def get_tags(self) -> Sequence[TagUse]:
        """Answer every tag in use, sorted."""
        return await self.repository.tags()

    async def check_ready(self) -> None:
        """Raise StorageUnavailable or StorageFull if a change could not be stored now."""
        await self.repository.check()

    async def forget(self) -> None:
        """Drop changes and receipts that need not be kept any longer."""
        await self.repository.history.forget(
            keep=self.kept_changes, receipts_before=self.now() - RECEIPTS_KEPT
        )

    async def _once(self, key: IdempotencyKey | None, carry_out: _Request) -> Sequence[Change]:
        """Answer the changes of a request, carried out unless it has been already.

        Raises KeyReused.
        """
        if key is None:
            return await retry(partial(carry_out, None), self.wait)
        async with self._locked(key.value):  # a repeat waits for the first
            return await retry(partial(self._carry_out_or_repeat, key, carry_out), self.wait)

    async def _carry_out_or_repeat(
        self, key: IdempotencyKey, carry_out: _Request
    ) -> Sequence[Change]:
        if (changes := await self._carried_out(key)) is not None:
            return changes
        try:
            return await carry_out(Receipt(key=key.value, digest=key.digest, at=self.now()))
        except TodoError:  # perhaps only since another process has been first
            if (changes := await self._carried_out(key)) is None:
                raise
            return changes

    async def _carried_out(self, key: IdempotencyKey) -> Sequence[Change] | None:
        receipt = await self.repository.receipt(key.value)
        if receipt is None:
            return None
        if receipt.digest != key.digest:
            raise KeyReused(key.value)
        return receipt.changes

    async def _store(self, entry_id: UUID, edit: Edit, condition: Condition) -> Transition:
        async def attempt() -> Transition:
            before = await self._find(entry_id)
            after = edit(entry_id, before, self.now())
            condition.check(entry_id, before)
            if after is before:
                return Transition(before, after)
            (stored,) = await self._save([after])
            return Transition(before, stored.after)

        async with self._locked(entry_id):
            return await retry(attempt, self.wait)

    async def _store_all(
        self, steps: Sequence[_Step], receipt: Receipt | None
    ) -> Sequence[Change]:
        async with self._locked(*(entry_id for entry_id, _ in steps)):
            changes = await self._prepare(steps)
            return await self._save([change.after for change in changes], receipt)

    async def _prepare(self, steps: Sequence[_Step]) -> Sequence[Change]:
        """Answer what the steps would change, not stored yet."""
        at = self.now()
        before = await self.repository.last_states({entry_id for entry_id, _ in steps})
        after: dict[UUID, TodoEntry] = {}
        for index, (entry_id, edit) in enumerate(steps):
            if index % _STEPS_AT_ONCE == 0:
                await asyncio.sleep(0)  # others get their turn
            entry = after.get(entry_id, before.get(entry_id))
            try:
                after[entry_id] = edit(entry_id, present(entry), at)
            except TodoError as error:
                raise OperationFailed(index, error) from error
        changes = (_change(before.get(entry_id), entry) for entry_id, entry in after.items())
        return [change for change in changes if change is not None]

    async def _undo(self, revision: int, receipt: Receipt | None) -> Sequence[Change]:
        history = self.repository.history
        entry_id = (await history.change(revision)).entry_id
        async with self._locked(entry_id):
            page = await history.changes_of(entry_id, since=revision - 1, limit=2)
            change, *later = page.changes
            if later:
                raise ChangedSince(change, await self._find(entry_id))
            return await self._save([change.undo(at=self.now())], receipt)

    async def _save(
        self, entries: Sequence[TodoEntry], receipt: Receipt | None = None
    ) -> Sequence[Change]:
        try:
            changes = await self.repository.save(*entries, receipt=receipt)
        except (StaleTodoEntry, ReceiptExists) as error:
            raise LostRace from error
        self.bus.publish(changes)
        return changes

    @asynccontextmanager
    async def _locked(self, *names: UUID | str) -> AsyncIterator[None]:
        """Keep others in this process from changing these entries, or using these keys."""
        async with AsyncExitStack() as stack:
            for name in sorted(set(names), key=str):  # or two could wait for each other
                lock = self._locks.setdefault(name, asyncio.Lock())
                await stack.enter_async_context(lock)
            yield

    async def _find(self, entry_id: UUID) -> TodoEntry | None:
        try:
            return await self.repository.get(entry_id)
        except TodoEntryNotFound:
            return None


def _change(before: TodoEntry | None, after: TodoEntry) -> Change | None:
    """Answer the change from one state of an entry to the other, None if it is none."""
    if present(before) is None and after.removed:
        return None
    if before is None:
        return Change(None, after)
    after = after.stored(before.revision)  # it may have been created again
    if after == before.revert(before, at=after.updated_at):
        return None
    return Change(before, after)
