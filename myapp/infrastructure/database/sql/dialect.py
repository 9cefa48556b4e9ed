"""What a database is asked for that SQLite and PostgreSQL do differently."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError

from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connection import Connection, Steps
from myapp.infrastructure.database.sql.text_search import TextSearch

Answer = TypeVar("Answer")


class Dialect(ABC):
    """One of the two, and where the database is."""

    search: TextSearch
    shares_reads: bool
    limits_halves: bool
    migrates_at_start: bool
    begin_change: TextClause
    begin_snapshot: TextClause
    after_load: Sequence[TextClause]

    @property
    @abstractmethod
    def place(self) -> str:
        """What the database is called in messages; nothing in it is secret."""

    @property
    @abstractmethod
    def files(self) -> Collection[Path]:
        """The files on this machine that hold the database, there or not."""

    @abstractmethod
    def check_presence(self) -> None:
        """Raise StorageUnusable where it shows at once that it is not there, or foreign."""

    @abstractmethod
    def check_usable(self, connection: sa.Connection) -> None:
        """Raise StorageUnusable, StorageOutdated or UnsupportedStorage if it is that."""

    @abstractmethod
    async def migrate(self, options: StorageOptions) -> None:
        """Bring it to the newest schema, in one transaction; raises StorageUnusable."""

    @abstractmethod
    async def connect(self, options: StorageOptions) -> Connection:
        """Answer a new connection; raises OSError as `check` does."""

    @abstractmethod
    async def run_sync(
        self, work: Callable[[sa.Connection], Answer], options: StorageOptions
    ) -> Answer:
        """Answer what a function does with a connection of SQLAlchemy's, made for it alone."""

    @abstractmethod
    def check(self) -> None:
        """Raise OSError if what was connected to first is not what others would find now."""

    @abstractmethod
    async def size(self, connection: Connection) -> int:
        """Answer how many bytes the storage takes."""

    @abstractmethod
    def flaws(self) -> Steps[Sequence[str]]:
        """Answer what the database itself finds wrong, a sentence each."""

    @abstractmethod
    def is_full(self, error: Exception) -> bool:
        """Whether a failure is that there is no space left."""

    @abstractmethod
    def is_damage(self, error: Exception) -> bool:
        """Whether a failure is that what was written cannot be read any more."""

    @abstractmethod
    def is_conflict(self, error: Exception) -> bool:
        """Whether a transaction was rolled back for another's sake, and may succeed now."""


def told(error: Exception, name: str) -> object:
    """Answer what a driver's own error says under a name, if it does."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, name, None)
