"""Group commit: entries on their way into the journal and, once durable, into the index."""

import asyncio
import errno
import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVarTuple
from uuid import UUID

from myapp.domain.errors import StorageFull, StorageUnavailable, TodoError
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.records import decode, encode
from myapp.infrastructure.database.todo_index import TodoIndex

_CHUNK = 1_000
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LONGEST_PAUSE = 5.0

Arguments = TypeVarTuple("Arguments")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Save:
    entries: Sequence[TodoEntry]
    written: asyncio.Future[None]


class JournalWriter:
    """Writes by one thread beside the event loop; only durable entries reach the index.

    What is given while a write is under way shares the next frame, and so its fsync.
    After a failed write nothing is taken until the journal has proved that it works again,
    which is tried at once and then every few seconds. When most of the journal has been
    overtaken, it is compacted.
    """

    def __init__(self, journal: Journal, index: TodoIndex, thread: ThreadPoolExecutor) -> None:
        self._journal = journal
        self._index = index
        self._thread = thread
        self._revision = 0  # the last given out, if only to a save that failed
        self._records = 0  # entries in the journal, those overtaken since included
        self._compact_beyond = 0
        self._waiting: list[_Save] = []
        self._writing: set[UUID] = set()
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._closed = False

    async def open(self) -> None:
        """Read the journal into the index."""
        with _no_garbage_collection():
            await self._in_thread(self._journal.open, self._take)
        self._revision = self._index.revision

    async def close(self) -> None:
        """Let what is under way end, then give the journal back."""
        self._closed = True
        if self._task is not None:
            if self._failure is not None:
                self._task.cancel()
            await asyncio.wait([self._task])
        await self._in_thread(self._journal.close)

    def check(self) -> None:
        """Raise StorageUnavailable or StorageFull if nothing can be written now."""
        if self._failure is not None:
            raise _refusal(self._failure)
        if self._closed:
            raise StorageUnavailable("The service is shutting down.")

    def next_revision(self) -> int:
        """Give out the next revision."""
        self._revision += 1
        return self._revision

    def write(self, entries: Sequence[TodoEntry]) -> asyncio.Future[None]:
        """Answer a future that is done when the entries are in journal and index.

        It fails with StorageUnavailable or StorageFull, and must not be cancelled.
        """
        save = _Save(entries, asyncio.get_running_loop().create_future())
        self._waiting.append(save)
        self._writing.update(entry.id for entry in entries)
        self._task = self._task or asyncio.create_task(self._write_waiting())
        return save.written

    def is_writing(self, entry_id: UUID) -> bool:
        """Whether a change of this entry is on its way."""
        return entry_id in self._writing

    async def _write_waiting(self) -> None:
        while self._waiting:
            saves, self._waiting = self._waiting, []
            entries = [entry for save in saves for entry in save.entries]
            try:
                await self._in_thread(self._append, entries)
                self._index.put(entries, entries[-1].revision)
                self._writing.difference_update(entry.id for entry in entries)
                for save in saves:
                    save.written.set_result(None)
                await self._compact()
            except Exception as error:  # whatever it is, nobody may wait for ever
                self._fail(saves, error)
                await self._recover()
        self._task = None

    async def _compact(self) -> None:
        if self._records <= max(2 * len(self._index) + _CHUNK, self._compact_beyond):
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
        for save in [*saves, *self._waiting]:
            if not save.written.done():
                save.written.set_exception(_refusal(error))
                save.written.exception()  # retrieved, should nobody wait for it any more
        self._waiting = []
        self._writing.clear()

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


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Make objects that stay, which collections need not walk, now or later."""
    was_enabled = gc.isenabled()
    gc.collect()
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
