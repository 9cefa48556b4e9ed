"""The storages that are files on a disk of this machine."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.storage import open_storage, pickle_url
from tests.faults.short_ways import QuickDisk, opened

_SHARED_MEMORY = 32_768


class FileStorage(ABC):
    """One kind of storage, in any folder that may yet have to be made."""

    @abstractmethod
    def url(self, folder: Path) -> str:
        """Answer the URL of the storage in a folder."""

    @abstractmethod
    def opened(self, folder: Path) -> AbstractAsyncContextManager[TodoEntryRepository]:
        """Open what a crash has left in a folder."""

    @abstractmethod
    def tear(self, folder: Path) -> None:
        """Let the last write of a killed process have been a part of one, where that can be."""


class _Pickle(FileStorage):
    def url(self, folder: Path) -> str:
        return pickle_url(folder)

    def opened(self, folder: Path) -> AbstractAsyncContextManager[TodoEntryRepository]:
        return opened(folder, QuickDisk())

    def tear(self, folder: Path) -> None:
        journal = folder / JOURNAL
        journal.with_suffix(".new").write_bytes(b"begun")
        with journal.open("ab") as file:
            file.write(b"a torn tail")


class _Sqlite(FileStorage):
    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder}/todos.db"

    def opened(self, folder: Path) -> AbstractAsyncContextManager[TodoEntryRepository]:
        """Open it; of the index of its log, which is shared memory, anything may be left."""
        if folder.exists():
            garbage = Random(_SHARED_MEMORY).randbytes(_SHARED_MEMORY)
            (folder / "todos.db-shm").write_bytes(garbage)
        return open_storage(self.url(folder))

    def tear(self, folder: Path) -> None:
        with (folder / "todos.db-wal").open("ab") as file:
            file.write(b"a torn frame")


FILE_STORAGES: dict[str, FileStorage] = {"pickle": _Pickle(), "sqlite": _Sqlite()}
