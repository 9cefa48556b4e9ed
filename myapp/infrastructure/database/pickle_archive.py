"""The pickle storage as its operators see it; its journal is read without the lock."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import (
    Archive,
    Findings,
    Snapshot,
    Status,
    check_replaceable,
)
from myapp.infrastructure.database.disk import Disk, make_folder_of
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.folder_lock import LOCK, folder_lock
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.pickle_salvage import read
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    open_pickle_storage,
)
from myapp.infrastructure.database.records import decode, encode
from myapp.infrastructure.database.todo_index import TodoIndex

_ENTRIES_AT_ONCE = 500


class PickleArchive(Archive):
    """The storage in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def files(self) -> Collection[Path]:
        return self._folder / JOURNAL, self._folder / LOCK

    async def status(self) -> Status:
        index, _ = self._read()
        size = (self._folder / JOURNAL).stat().st_size
        return Status(entries=len(index), revision=index.revision, size=size)

    async def check(self) -> Findings:
        _, unreadable = self._read()
        return Findings(problems=(), unfinished_bytes=unreadable)

    async def migrate(self) -> None:
        async with open_pickle_storage(self._folder):
            pass  # opening is all it takes

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        index, _ = self._read()
        yield _PickleSnapshot(index)

    async def load(
        self,
        batches: AsyncIterable[Sequence[TodoEntry]],
        *,
        revision: int,
        replace: bool = False,
    ) -> None:
        path = self._folder / JOURNAL
        disk = Disk()
        with ExitStack() as stack:
            with self._usable():
                make_folder_of(path.absolute(), disk)
                stack.enter_context(folder_lock(self._folder))
                held, _ = self._read() if path.exists() else (TodoIndex(), 0)
            check_replaceable(
                entries=len(held),
                held_revision=held.revision,
                revision=revision,
                replace=replace,
            )
            payloads = [encode(revision, [])]
            async for batch in batches:  # whose OSErrors are those of another place
                payloads.append(encode(revision, batch))
                decode(payloads[-1])  # or what cannot be read would replace what can
            with self._usable():
                journal = Journal(path, disk)
                journal.rewrite(payloads)
                journal.close()

    def _read(self) -> tuple[TodoIndex, int]:
        with self._usable():
            return read(self._folder / JOURNAL)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Raise StorageUnusable for what the system does not let be done in the folder."""
        try:
            yield
        except OSError as error:
            raise StorageUnusable(self._folder, error) from error


class _PickleSnapshot(Snapshot):
    def __init__(self, index: TodoIndex) -> None:
        self.revision = index.revision
        self.count = len(index)
        self._index = index

    async def batches(self) -> AsyncIterator[Sequence[TodoEntry]]:
        entries = sorted(self._index.entries(), key=lambda entry: entry.id.int)
        for start in range(0, len(entries), _ENTRIES_AT_ONCE):
            yield entries[start : start + _ENTRIES_AT_ONCE]

    async def get(self, ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        found = (self._index.get(entry_id) for entry_id in ids)
        return {entry.id: entry for entry in found if entry is not None}
