"""Services to test, and repositories that make it hard for them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from myapp.application.message_bus import MessageBus
from myapp.application.todo_service import CHANGES_KEPT, TodoService
from myapp.domain.change import Change
from myapp.domain.errors import TodoError
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt, TodoEntryRepository
from tests.contract.entries import NOON
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository


@dataclass
class Waiting:
    """Waits no time at all, and knows how long it would have been."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        """Take it down."""
        self.seconds.append(seconds)


@dataclass
class Clock:
    """Ticks a second whenever it is asked, and may be put forward."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        """Answer the time."""
        answer = self.moment
        self.moment += timedelta(seconds=1)
        return answer


def service_on(
    repository: TodoEntryRepository,
    waiting: Waiting | None = None,
    *,
    clock: Clock | None = None,
    kept_changes: int = CHANGES_KEPT,
) -> TodoService:
    """Answer a service that starts at noon, and whose ids count from 1."""
    numbers = count(1)
    return TodoService(
        repository,
        now=clock or Clock(),
        new_id=lambda: UUID(int=next(numbers)),
        bus=MessageBus(),
        kept_changes=kept_changes,
        wait=waiting or Waiting(),
    )


Rival = Callable[[TodoEntry], TodoEntry]


class ContestedRepository(InMemoryTodoEntryRepository):
    """Another process is faster: just before each of the next saves, it stores its own."""

    def __init__(self) -> None:
        super().__init__()
        self.rivals: list[Rival] = []

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        if self.rivals:
            rival = self.rivals.pop()
            entry = entries[0]
            stored = await self.get(entry.id) if entry.revision else entry
            await super().save(rival(stored))
        return await super().save(*entries, receipt=receipt)


Act = Callable[[], Awaitable[object]]


class SharedRepository(InMemoryTodoEntryRepository):
    """Other processes use it too, and act when it suits them least."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Act] = []

    async def _let_another_act(self) -> None:
        acts, self.acts = self.acts, []  # nobody acts while it does
        if acts:
            await acts.pop(0)()
            self.acts = acts


class OvertakenRepository(SharedRepository):
    """Other processes act just before each of the next saves."""

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        await self._let_another_act()
        return await super().save(*entries, receipt=receipt)


class ForestalledRepository(SharedRepository):
    """Other processes act just after a receipt was looked for."""

    async def receipt(self, key: str) -> Receipt | None:
        found = await super().receipt(key)
        await self._let_another_act()
        return found


class FailingRepository(InMemoryTodoEntryRepository):
    """Fails at every save, once it has an error to fail with."""

    error: TodoError | None = None

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        await self.check()
        return await super().save(*entries, receipt=receipt)

    async def check(self) -> None:
        """Fail as a save would."""
        if self.error is not None:
            raise self.error


class DistantRepository(InMemoryTodoEntryRepository):
    """Takes its time, in which others get their turn."""

    async def get(self, entry_id: UUID) -> TodoEntry:
        await asyncio.sleep(0)
        entry = await super().get(entry_id)
        await asyncio.sleep(0)
        return entry

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        await asyncio.sleep(0)
        entries = await super().last_states(entry_ids)
        await asyncio.sleep(0)
        return entries

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        await asyncio.sleep(0)
        stored = await super().save(*entries, receipt=receipt)
        await asyncio.sleep(0)
        return stored


class HeldRepository(InMemoryTodoEntryRepository):
    """Lets nobody store a certain entry before it is set free."""

    def __init__(self) -> None:
        super().__init__()
        self.held: UUID | None = None
        self.is_free = asyncio.Event()
        self.is_waited_for = asyncio.Event()

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        if any(entry.id == self.held for entry in entries):
            self.is_waited_for.set()
            await self.is_free.wait()
        return await super().save(*entries, receipt=receipt)
