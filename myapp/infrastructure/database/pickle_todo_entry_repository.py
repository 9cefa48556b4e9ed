"""The embedded storage: all entries in memory, every change in a journal of pickles."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import ReceiptExists, StaleTodoEntry, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import TodoHistory
from myapp.infrastructure.database.archive import Status
from myapp.infrastructure.database.contents import Contents
from myapp.infrastructure.database.disk import Disk, make_folder_of
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.folder_lock import folder_lock
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.journal_writer import JournalWriter
from myapp.infrastructure.database.pickle_todo_history import PickleTodoHistory
from myapp.infrastructure.database.running_storage import RunningStorage, StorageUse

MADE_FOR = 100_000
"""Entries this storage is made for; it works beyond, with a warning."""

JOURNAL = "todo.journal"

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_pickle_storage(
    folder: Path, disk: Disk | None = None
) -> AsyncIterator["PickleTodoEntryRepository"]:
    """Own the folder and answer the entries in it; on leaving, what was saved is kept.

    Raises StorageInUse, StorageDamaged, UnsupportedStorage, StorageUnusable.
    """
    disk = disk or Disk()
    contents = Contents()
    async with AsyncExitStack() as stack:
        try:
            make_folder_of((folder / JOURNAL).absolute(), disk)
            lock = stack.enter_context(folder_lock(folder))
            thread = stack.enter_context(ThreadPoolExecutor(1, "journal"))
            writer = JournalWriter(Journal(folder / JOURNAL, disk), lock, contents, thread)
            stack.push_async_callback(writer.close)
            await writer.open()
        except OSError as error:
            raise StorageUnusable(folder, error) from error
        yield PickleTodoEntryRepository(contents, writer)


class PickleTodoEntryRepository(TodoEntryRepository, RunningStorage):
    """Answers from memory, which holds what is durable, and saves through the writer."""

    def __init__(self, contents: Contents, writer: JournalWriter) -> None:
        self._contents = contents
        self._index = contents.index
        self._writer = writer
        self._history = PickleTodoHistory(contents)
        self._warned = False
        self._warn_if_large()

    @property
    def history(self) -> TodoHistory:
        return self._history

    async def get(self, entry_id: UUID) -> TodoEntry:
        entry = self._index.get(entry_id)
        if entry is None:
            raise TodoEntryNotFound(entry_id)
        return entry

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        states = map(self._contents.state, entry_ids)
        return {state.id: state for state in states if state is not None}

    async def find(self, query: TodoQuery) -> Page:
        if (page := self._index.known(query)) is not None:
            return page
        for _ in self._index.prepare(query):
            await asyncio.sleep(0)  # let others have their turn
        return self._index.find(query)

    async def tags(self) -> Sequence[TagUse]:
        return self._index.tags()

    async def check(self) -> None:
        self._writer.check()
        await self._writer.write([], None)

    async def status(self) -> Status:
        self._writer.check()
        return Status(len(self._index), self._index.revision, self._writer.size)

    def use(self) -> StorageUse:
        return StorageUse(commits=self._writer.commits, dead=self._writer.dead)

    async def receipt(self, key: str) -> Receipt | None:
        return self._contents.log.receipt(key)

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        if receipt is not None:
            await self._check_unused(receipt.key)
        self._writer.check()
        self._check_current(entries)
        if not entries and receipt is None:
            return ()
        stored = [entry.stored(self._writer.next_revision()) for entry in entries]
        changes = await self._writer.write(stored, receipt)
        self._warn_if_large()
        return changes

    async def _check_unused(self, key: str) -> None:
        await self._writer.wait_for(key)
        if self._contents.log.receipt(key) is not None:
            raise ReceiptExists(key)

    def _check_current(self, entries: Sequence[TodoEntry]) -> None:
        """Raise StaleTodoEntry unless each is based on what is stored, and nothing pending."""
        # Of one entry they need not be counted, which is a third of this check.
        times = Counter(entry.id for entry in entries) if len(entries) > 1 else {}
        stale = [
            entry.id
            for entry in entries
            if times.get(entry.id, 1) > 1
            or self._writer.is_writing(entry.id)
            or not entry.follows(self._contents.state(entry.id))
        ]
        if stale:
            raise StaleTodoEntry(*stale)

    def _warn_if_large(self) -> None:
        if len(self._index) > MADE_FOR and not self._warned:
            self._warned = True
            _log.warning(
                "the storage holds more than the %s entries it is made for: opening it"
                " takes longer, and more memory, with each. `myapp storage copy` carries"
                " them to sqlite:///file.db or postgresql://…, which are made for more",
                f"{MADE_FOR:,}",
            )
