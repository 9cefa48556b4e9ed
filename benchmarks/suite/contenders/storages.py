"""The storages of this service, made and measured from outside."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.storages import fill
from benchmarks.suite.contenders.contender import files_in
from myapp.domain.todo import TodoEntry
from tests.postgresql_server import PostgresqlServer


class Storage(ABC):
    """A storage that is this contender's alone."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Its URL."""

    def create(self) -> None:
        """Make what has to be there before anything can be stored."""

    def fill(self, entries: Sequence[TodoEntry]) -> None:
        """Store these, as many at a time as it likes."""
        asyncio.run(fill(self.url, entries))

    @abstractmethod
    def size(self) -> int:
        """Answer the bytes that it has on the disk."""

    def processes(self) -> Sequence[int]:
        """Answer the processes that work for it."""
        return []

    def files(self) -> Iterator[Path]:
        """Answer its files that are not in the contender's folder."""
        return iter(())


class PickleStorage(Storage):
    """The folder that is the default."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "todos"

    @property
    def url(self) -> str:
        return f"pickle:///{self._folder}"

    def size(self) -> int:
        return sum(file.stat().st_size for file in self._folder.iterdir())


class SqliteStorage(Storage):
    """A file of SQLite's."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "todos.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self._file}"

    def size(self) -> int:
        # With the log of what is still to be brought into the file.
        files = self._file.parent.glob(f"{self._file.name}*")
        return sum(file.stat().st_size for file in files)


class PostgresqlStorage(Storage):
    """A database of a server on the same machine, which waits for the disk."""

    def __init__(self, server: PostgresqlServer, name: str) -> None:
        self._server = server
        self._name = name

    @property
    def url(self) -> str:
        return self._server.url(self._name)

    def create(self) -> None:
        self._server.create_database(self._name)

    def fill(self, entries: Sequence[TodoEntry]) -> None:
        super().fill(entries)
        # It would do both by itself after a while, in the midst of what is measured.
        self._server.execute("VACUUM ANALYZE", database=self._name)
        self._server.execute("CHECKPOINT")

    def size(self) -> int:
        return int(self._server.execute(f"SELECT pg_database_size('{self._name}')"))

    def files(self) -> Iterator[Path]:
        return files_in(self._server.folder / "data")

    def processes(self) -> Sequence[int]:
        postmaster = self._server.folder / "data" / "postmaster.pid"
        return [int(postmaster.read_text("utf-8").split()[0])]
