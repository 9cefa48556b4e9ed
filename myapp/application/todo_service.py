"""The use cases of the todo service: get, tell the entry, save."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import NamedTuple, Unpack
from uuid import UUID
from weakref import WeakValueDictionary

from myapp.domain.errors import (
    StaleTodoEntry,
    StorageUnavailable,
    TodoEntryExists,
    TodoEntryNotFound,
)
from myapp.domain.todo import TodoEntry, TodoFields
from myapp.domain.todo_entry_repository import (
    Page,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)

RETRIED_FOR = 5.0
"""Seconds that a change which keeps losing the race waits in all before it gives up."""

_FIRST_WAIT, _LONGEST_WAIT = 0.005, 0.5
_random = SystemRandom()


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


class Change(NamedTuple):
    """What a use case did: the entry before (None: it is new) and after."""

    before: TodoEntry | None
    after: TodoEntry


@dataclass(slots=True)
class TodoService:
    """What can be done with todos, whoever asks through whichever channel.

    A change without a condition is made to the newest state of its entry and never lost:
    within this process the changes of an entry wait for each other, and one that loses
    against another process is made again. `wait` sleeps for a number of seconds.
    """

    repository: TodoEntryRepository
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    _locks: WeakValueDictionary[UUID, asyncio.Lock] = field(
        default_factory=WeakValueDictionary, init=False
    )

    async def add_entry(
        self, content: str, *, done: bool = False, **fields: Unpack[TodoFields]
    ) -> TodoEntry:
        """Store a new entry."""
        entry = TodoEntry.create_from_content(
            content, id=self.new_id(), at=self.now(), done=done, **fields
        )
        (stored,) = await self.repository.save(entry)
        return stored

    async def get_entry(self, entry_id: UUID) -> TodoEntry:
        """Answer the entry; raises TodoEntryNotFound."""
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
    ) -> Change:
        """Create the entry under this id, or write these fields of the one that is there."""

        def put(entry: TodoEntry | None) -> TodoEntry:
            if entry is not None:
                return entry.change(at=self.now(), content=content, done=done, **fields)
            return TodoEntry.create_from_content(
                content, id=entry_id, at=self.now(), done=done, **fields
            )

        return await self._store(entry_id, put, condition)

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
        return await self._change(
            entry_id,
            lambda entry: entry.change(at=self.now(), content=content, done=done, **fields),
            condition,
        )

    async def remove_entry(self, entry_id: UUID, *, condition: Condition = ALWAYS) -> None:
        """Remove the entry; raises TodoEntryNotFound."""
        await self._change(entry_id, lambda entry: entry.remove(at=self.now()), condition)

    async def add_tag(
        self, entry_id: UUID, tag: str, *, condition: Condition = ALWAYS
    ) -> TodoEntry:
        """Put the tag on the entry; raises TodoEntryNotFound, TooManyTags."""
        return await self._change(
            entry_id, lambda entry: entry.add_tag(tag, at=self.now()), condition
        )

    async def remove_tag(
        self, entry_id: UUID, tag: str, *, condition: Condition = ALWAYS
    ) -> TodoEntry:
        """Take the tag off the entry; raises TodoEntryNotFound."""
        return await self._change(
            entry_id, lambda entry: entry.remove_tag(tag, at=self.now()), condition
        )

    async def get_tags(self) -> Sequence[TagUse]:
        """Answer every tag in use, sorted."""
        return await self.repository.tags()

    async def check_ready(self) -> None:
        """Raise StorageUnavailable or StorageFull if a change could not be stored now."""
        await self.repository.check()

    async def _change(
        self,
        entry_id: UUID,
        change: Callable[[TodoEntry], TodoEntry],
        condition: Condition,
    ) -> TodoEntry:
        def change_existing(entry: TodoEntry | None) -> TodoEntry:
            if entry is None:
                raise TodoEntryNotFound(entry_id)
            return change(entry)

        stored = await self._store(entry_id, change_existing, condition)
        return stored.after

    async def _store(
        self,
        entry_id: UUID,
        change: Callable[[TodoEntry | None], TodoEntry],
        condition: Condition,
    ) -> Change:
        async with self._locks.setdefault(entry_id, asyncio.Lock()):
            for pause in _pauses():
                before = await self._find(entry_id)
                after = change(before)
                condition.check(entry_id, before)
                if after is before:
                    return Change(before, after)
                try:
                    (stored,) = await self.repository.save(after)
                except StaleTodoEntry:
                    await self.wait(pause)
                else:
                    return Change(before, stored)
        raise StorageUnavailable("Others keep changing this entry first.")

    async def _find(self, entry_id: UUID) -> TodoEntry | None:
        try:
            return await self.repository.get(entry_id)
        except TodoEntryNotFound:
            return None


def _pauses() -> Iterator[float]:
    """Growing waits with jitter, in seconds, that add up to RETRIED_FOR."""
    left, longest = RETRIED_FOR, _FIRST_WAIT
    while left > 0:
        pause = min(left, _random.uniform(longest / 2, longest))
        yield pause
        left -= pause
        longest = min(longest * 2, _LONGEST_WAIT)
