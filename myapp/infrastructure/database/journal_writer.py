"""Group commit: entries on their way into the journal and, once durable, into the index."""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVarTuple
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import StorageFull, StorageUnavailable, TodoError
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.contents import Contents, Snapshot
from myapp.infrastructure.database.folder_lock import FolderLock
from myapp.infrastructure.database.gathering import let_more_come
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.records import decode, encode_changes
from myapp.infrastructure.garbage import lasting_objects

_COMPACT_BEYOND = 1_000
_FRAME = 7  # records among many are read while a start opens a frame: 4 microseconds each
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LONGEST_PAUSE = 5.0

Arguments = TypeVarTuple("Arguments")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Save:
    names: Collection[UUID | str]  # of its entries, and the key of its receipt
    entries: Sequence[TodoEntry]
    receipt: Receipt | None
    written: asyncio.Future[Sequence[Change]]


class JournalWriter:
    """Writes by one thread beside the event loop; only what is durable reaches the contents.

    What is given together, or while a write is under way, shares a frame, and so its fsync.
    After a failed write nothing is taken until the journal has proved that it works again,
    which is tried at once and then every few seconds. When a good part of the journal is of
    no use any more, it is compacted, and so is one that was slow to read since its records
    were saved one by one: the next start takes a third of the time.

    `commits` counts the writes by the number of saves that shared each.
    """

    def __init__(
        self,
        journal: Journal,
        lock: FolderLock,
        contents: Contents,
        thread: ThreadPoolExecutor,
    ) -> None:
        self.commits = Counter[int]()
        self._journal = journal
        self._lock = lock
        self._contents = contents
        self._thread = thread
        self._revision = 0  # the last given out, if only to a save that failed
        self._records = 0  # states and receipts in the journal, with those forgotten since
        self._frames = 0  # that were read
        self._compact_beyond = 0
        self._begin = 0  # of the history, as the journal knows it
        self._waiting: list[_Save] = []
        self._writing: set[UUID | str] = set()
        self._ended = asyncio.Event()  # the write under way; then there is another event
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._closed = False

    async def open(self) -> None:
        """Read what the journal tells."""
        with lasting_objects():
            await self._in_thread(self._journal.open, self._take)
        self._contents.log.forget_removed()
        self._revision = self._contents.index.revision
        self._begin = self._contents.log.begin

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

    @property
    def size(self) -> int:
        """The bytes of the journal."""
        return self._journal.size

    @property
    def dead(self) -> int:
        """The bytes of records that are of no use any more, if all are equally long."""
        return max(0, self._records - self._needed()) * self.size // max(1, self._records)

    def next_revision(self) -> int:
        """Give out the next revision."""
        self._revision += 1
        return self._revision

    async def write(
        self, entries: Sequence[TodoEntry], receipt: Receipt | None
    ) -> Sequence[Change]:
        """Answer the changes once all is in the journal and the contents.

        With nothing to write it is looked whether something could be. Whoever gives up waiting
        does not undo the write. Raises StorageUnavailable, StorageFull.
        """
        names: list[UUID | str] = [entry.id for entry in entries]
        if receipt is not None:
            names.append(receipt.key)
        save = _Save(names, entries, receipt, asyncio.get_running_loop().create_future())
        self._waiting.append(save)
        self._writing.update(names)
        self._task = self._task or asyncio.create_task(self._write_waiting())
        return await save.written

    def is_writing(self, name: UUID | str) -> bool:
        """Whether a write under way changes an entry, or has a receipt."""
        return name in self._writing

    async def wait_for(self, name: UUID | str) -> None:
        """Wait until no write under way changes an entry, or has a receipt."""
        while name in self._writing:
            await self._ended.wait()

    async def _write_waiting(self) -> None:
        while self._waiting:
            await let_more_come(self._waiting)
            saves, self._waiting = self._waiting, []
            # The states before, and where the history begins, are those of one moment.
            written = [self._changes(save) for save in saves]
            begin = self._contents.log.begin
            receipts = [
                replace(save.receipt, changes=changes)
                for save, changes in zip(saves, written, strict=True)
                if save.receipt is not None
            ]
            changes = [change for changes in written for change in changes]
            last = changes[-1].revision if changes else self._contents.index.revision
            try:
                await self._in_thread(self._append, last, changes, receipts, begin)
                self._contents.put(changes, receipts, last)
                if stored := sum(bool(save.entries or save.receipt) for save in saves):
                    self.commits[stored] += 1  # others have but looked
                self._settle(saves, written)
                await self._compact()
            except Exception as error:  # whatever it is, nobody may wait for ever
                self._fail(saves, error)
                await self._recover()
        self._task = None

    def _changes(self, save: _Save) -> Sequence[Change]:
        return [Change(self._contents.state(entry.id), entry) for entry in save.entries]

    def _settle(self, saves: Sequence[_Save], written: Sequence[Sequence[Change]]) -> None:
        for save, changes in zip(saves, written, strict=True):
            self._writing.difference_update(save.names)
            if not save.written.cancelled():
                save.written.set_result(changes)
        self._end()

    async def _compact(self) -> None:
        cost = self._records + _FRAME * self._frames
        if cost <= max(3 * self._needed() // 2 + _COMPACT_BEYOND, self._compact_beyond):
            return
        try:
            await self._in_thread(self._rewrite, self._contents.snapshot(self._revision))
        except OSError as error:
            if self._journal.broken:
                raise
            self._compact_beyond = 2 * cost
            _log.warning("%s could not be compacted: %s", self._journal.path, error)

    def _needed(self) -> int:
        return len(self._contents.index) + len(self._contents.log)

    def _fail(self, saves: Sequence[_Save], error: Exception) -> None:
        _log.error("%s cannot be written: %s", self._journal.path, error)
        self._failure = error
        for save in [*saves, *self._waiting]:
            if not save.written.done():
                save.written.set_exception(_refusal(error))
                save.written.exception()  # retrieved, should nobody wait for it any more
        self._waiting = []
        self._writing.clear()
        self._end()

    def _end(self) -> None:
        """Let those go on who wait for what was written."""
        self._ended.set()
        self._ended = asyncio.Event()

    async def _recover(self) -> None:
        snapshot = self._contents.snapshot(self._revision)
        pause = 0.0
        while self._failure is not None and not self._closed:
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause + 0.25)
            try:
                await self._in_thread(self._mend, snapshot)
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
        self._contents.take(record)
        self._frames += 1
        self._records += len(record.entries) + len(record.changes) + len(record.receipts)

    def _append(
        self,
        last: int,
        changes: Sequence[Change],
        receipts: Sequence[Receipt],
        begin: int,
    ) -> None:
        self._check_place()
        if not changes and not receipts:
            return
        entries = [change.after for change in changes]
        news = None if begin == self._begin else begin
        self._journal.append(encode_changes(last, entries, receipts, begin=news))
        self._begin = begin
        self._records += len(entries) + len(receipts)

    def _rewrite(self, snapshot: Snapshot) -> None:
        self._lock.check()
        self._journal.rewrite(snapshot.payloads())
        self._frames = 0
        self._records = len(snapshot.entries) + len(snapshot.changes) + len(snapshot.receipts)
        self._begin = snapshot.begin

    def _mend(self, snapshot: Snapshot) -> None:
        if self._journal.broken:
            self._rewrite(snapshot)
        else:
            self._check_place()
            self._journal.append(encode_changes(snapshot.revision, []))

    def _check_place(self) -> None:
        """Fail unless what is appended now would be found by whoever starts next."""
        self._journal.check()
        self._lock.check()


def _refusal(error: Exception) -> TodoError:
    """Answer what a caller hears of a failed write."""
    refusal: TodoError
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        refusal = StorageFull()
    else:
        refusal = StorageUnavailable("The storage cannot be written now.")
    refusal.__cause__ = error
    return refusal
