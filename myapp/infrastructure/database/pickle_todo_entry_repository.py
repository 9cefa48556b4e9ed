"""The embedded storage: all entries in memory, every change in a journal of pickles."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from myapp.domain.errors import StaleTodoEntry, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Page, TagUse, TodoEntryRepository, TodoQuery
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.folder_lock import folder_lock
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.journal_writer import JournalWriter
from myapp.infrastructure.database.todo_index import TodoIndex

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
    index = TodoIndex()
    async with AsyncExitStack() as stack:
        try:
            make_folder(folder.absolute(), disk)
            stack.enter_context(folder_lock(folder))
            thread = stack.enter_context(ThreadPoolExecutor(1, "journal"))
            writer = JournalWriter(Journal(folder / JOURNAL, disk), index, thread)
            stack.push_async_callback(writer.close)
            await writer.open()
        except OSError as error:
            raise StorageUnusable(folder, error) from error
        yield PickleTodoEntryRepository(index, writer)


class PickleTodoEntryRepository(TodoEntryRepository):
    """Answers from the index, which holds what is durable, and saves through the writer."""

    def __init__(self, index: TodoIndex, writer: JournalWriter) -> None:
        self._index = index
        self._writer = writer
        self._warned = False
        self._warn_if_large()

    async def get(self, entry_id: UUID) -> TodoEntry:
        entry = self._index.get(entry_id)
        if entry is None:
            raise TodoEntryNotFound(entry_id)
        return entry

    async def find(self, query: TodoQuery) -> Page:
        return self._index.find(query)

    async def tags(self) -> Sequence[TagUse]:
        return self._index.tags()

    async def check(self) -> None:
        self._writer.check()

    async def save(self, *entries: TodoEntry) -> Sequence[TodoEntry]:
        self._writer.check()
        self._check_current(entries)
        if not entries:
            return ()
        stored = [replace(entry, revision=self._writer.next_revision()) for entry in entries]
        # Shielded, since whoever gives up waiting does not undo the save.
        await asyncio.shield(self._writer.write(stored))
        self._warn_if_large()
        return stored

    def _check_current(self, entries: Sequence[TodoEntry]) -> None:
        """Raise StaleTodoEntry unless each is based on what is stored, and nothing pending."""
        stale = []
        seen: set[UUID] = set()
        for entry in entries:
            stored = self._index.get(entry.id)
            is_current = entry.revision == (stored.revision if stored else 0)
            if not is_current or self._writer.is_writing(entry.id) or entry.id in seen:
                stale.append(entry.id)
            seen.add(entry.id)
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


def make_folder(folder: Path, disk: Disk) -> None:
    """Make the folder of a storage, to be there after a power cut; raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / JOURNAL).exists():
        return
    # Some of them may be new, made just now or by a process that was killed right then.
    for parent in folder.parents:
        with suppress(PermissionError):  # then it is older, and somebody else's
            disk.sync_folder(parent)
