"""The embedded storage: all entries in memory, every change in a journal of pickles."""

import asyncio
import errno
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVarTuple
from uuid import UUID

from myapp.domain.errors import (
    StaleTodoEntry,
    StorageFull,
    StorageUnavailable,
    TodoEntryNotFound,
    TodoError,
)
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.folder_lock import folder_lock
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.records import decode, encode
from myapp.infrastructure.database.todo_index import TodoIndex

MADE_FOR = 100_000
"""Entries this storage is made for; it works beyond, with a warning."""

JOURNAL = "todo.journal"

_CHUNK = 1_000
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LONGEST_PAUSE = 5.0

Arguments = TypeVarTuple("Arguments")

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_pickle_storage(
    folder: Path, disk: Disk | None = None
) -> AsyncIterator["PickleTodoEntryRepository"]:
    """Own the folder and answer the entries in it; on leaving, what was saved is kept.

    Raises StorageInUse, StorageDamaged, UnsupportedStorage, OSError.
    """
    disk = disk or Disk()
    _make_folder(folder.absolute(), disk)
    with folder_lock(folder), ThreadPoolExecutor(1, "journal") as thread:
        journal = Journal(folder / JOURNAL, disk)
        repository = PickleTodoEntryRepository(journal, thread)
        try:
            await repository.open()
            yield repository
        finally:
            await repository.close()


@dataclass(frozen=True, slots=True)
class _Save:
    """Entries that somebody waits to see stored."""

    entries: Sequence[TodoEntry]
    answer: asyncio.Future[Sequence[TodoEntry]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def succeed(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self.entries)

    def fail(self, error: TodoError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class PickleTodoEntryRepository(TodoEntryRepository):
    """Entries in memory, stored in a journal by one thread beside the event loop.

    Saves that arrive while one is being written share the next frame, and so its fsync.
    After a failed write nothing is taken until the journal has proved that it works again,
    which is tried at once and then every few seconds.
    """

    def __init__(self, journal: Journal, thread: ThreadPoolExecutor) -> None:
        self._journal = journal
        self._thread = thread
        self._index = TodoIndex()
        self._revision = 0  # the last given out, if only to a save that failed
        self._records = 0  # entries in the journal, those overtaken since included
        self._compact_beyond = 0
        self._warned = False
        self._waiting: list[_Save] = []
        self._pending: set[UUID] = set()
        self._writer: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._closed = False

    async def open(self) -> None:
        """Read the journal; see open_pickle_storage."""
        with _no_garbage_collection():
            await self._in_thread(self._journal.open, self._take)
        self._revision = self._index.revision
        self._warn_if_large()

    async def close(self) -> None:
        """Let the saves under way end, then give the journal back."""
        self._closed = True
        if self._writer is not None and self._failure is not None:
            self._writer.cancel()
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await self._in_thread(self._journal.close)

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
        if self._failure is not None:
            raise _refusal(self._failure)

    async def save(self, *entries: TodoEntry) -> Sequence[TodoEntry]:
        await self.check()
        if self._closed:
            raise StorageUnavailable("The service is shutting down.")
        self._check_current(entries)
        stored = [self._under_next_revision(entry) for entry in entries]
        save = _Save(stored)
        if stored:
            self._waiting.append(save)
            self._pending.update(entry.id for entry in stored)
            self._writer = self._writer or asyncio.create_task(self._write())
        else:
            save.succeed()
        return await save.answer

    def _check_current(self, entries: Sequence[TodoEntry]) -> None:
        stale = []
        seen = set(self._pending)
        for entry in entries:
            current = self._index.get(entry.id)
            revision = 0 if current is None else current.revision
            if entry.revision != revision or entry.id in seen:
                stale.append(entry.id)
            seen.add(entry.id)
        if stale:
            raise StaleTodoEntry(*stale)

    def _under_next_revision(self, entry: TodoEntry) -> TodoEntry:
        self._revision += 1
        return replace(entry, revision=self._revision)

    async def _write(self) -> None:
        while self._waiting:
            saves, self._waiting = self._waiting, []
            entries = [entry for save in saves for entry in save.entries]
            try:
                await self._in_thread(self._append, entries)
                self._publish(entries)
                for save in saves:
                    save.succeed()
                await self._compact()
            except Exception as error:  # whatever it is, nobody may wait for ever
                self._fail([*saves, *self._waiting], error)
                await self._recover()
        self._writer = None

    def _publish(self, entries: Sequence[TodoEntry]) -> None:
        self._index.put(entries, entries[-1].revision)
        self._pending.difference_update(entry.id for entry in entries)
        self._warn_if_large()

    async def _compact(self) -> None:
        live = len(self._index)
        if self._records <= max(2 * live + _CHUNK, self._compact_beyond):
            return
        try:
            await self._in_thread(self._rewrite, self._index.entries())
        except OSError as error:
            if self._journal.broken:
                raise
            self._compact_beyond = 2 * self._records
            _log.warning("%s could not be compacted: %s", self._journal.path, error)

    def _fail(self, saves: Sequence[_Save], error: Exception) -> None:
        _log.error("%s cannot be written: %s", self._journal.path, error)
        self._failure = error
        self._waiting = []
        self._pending.clear()
        for save in saves:
            save.fail(_refusal(error))

    async def _recover(self) -> None:
        entries = self._index.entries()
        pause = 0.0
        while self._failure is not None and not self._closed:
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause + 0.25)
            try:
                await self._in_thread(self._mend, entries)
            except Exception as error:  # whatever it is, it may be gone next time
                self._failure = error
            else:
                self._failure = None
                _log.warning("%s can be written again", self._journal.path)

    def _warn_if_large(self) -> None:
        if len(self._index) > MADE_FOR and not self._warned:
            self._warned = True
            _log.warning(
                "%s holds more than %s entries, more than the pickle storage is made for:"
                " sqlite:/// and postgresql:// storages have no such limit",
                self._journal.path,
                f"{MADE_FOR:,}",
            )

    async def _in_thread(
        self, work: Callable[[*Arguments], None], *arguments: *Arguments
    ) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, work, *arguments)

    # What follows runs in the thread, one call at a time.

    def _take(self, payload: bytes) -> None:
        record = decode(payload)
        self._index.put(record.entries, record.revision)
        self._records += len(record.entries)

    def _append(self, entries: Sequence[TodoEntry]) -> None:
        self._journal.append(encode(entries[-1].revision, entries))
        self._records += len(entries)

    def _rewrite(self, entries: Sequence[TodoEntry]) -> None:
        self._journal.rewrite(snapshot(self._revision, entries))
        self._records = len(entries)

    def _mend(self, entries: Sequence[TodoEntry]) -> None:
        if self._journal.broken:
            self._rewrite(entries)
        else:
            self._journal.append(encode(self._revision, []))


def snapshot(revision: int, entries: Sequence[TodoEntry]) -> Iterator[bytes]:
    """Answer payloads that together hold these entries and this revision."""
    yield encode(revision, [])
    for start in range(0, len(entries), _CHUNK):
        yield encode(revision, entries[start : start + _CHUNK])


def _make_folder(folder: Path, disk: Disk) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        disk.sync_folder(made.parent)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Make nothing but objects that stay, which collections would walk again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _refusal(error: Exception) -> TodoError:
    """Answer what a caller hears of a failed write."""
    refusal: TodoError
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        refusal = StorageFull("There is no space left to store anything.")
    else:
        refusal = StorageUnavailable("The storage cannot be written now.")
    refusal.__cause__ = error
    return refusal
