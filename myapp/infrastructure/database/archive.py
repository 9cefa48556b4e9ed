"""A storage as its operators see it: all that it holds, to be read and filled as a whole."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.errors import StorageAhead, StorageNotEmpty

REVISIONS_APART = 1_000_000_000
"""How far a store jumps when it loses what it had stored, past what any client may hold."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a storage holds: the number of entries, and the last revision given out.

    `size` is in bytes. `schema` and `newest_schema` name the version of the tables, and the
    newest that this release knows; both are None where there are no tables.
    """

    entries: int
    revision: int
    size: int
    schema: str | None = None
    newest_schema: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a storage, a sentence each: nothing, if it is whole.

    `unfinished_bytes` at the end of a journal belong to no whole write.
    """

    problems: Sequence[str]
    unfinished_bytes: int = 0


class Snapshot(ABC):
    """All that a storage held at one moment, whatever is stored meanwhile."""

    revision: int
    """The last revision that the store had given out."""

    count: int
    """The number of entries."""

    @abstractmethod
    def batches(self) -> AsyncIterator[Sequence[TodoEntry]]:
        """Answer all entries in the order of their ids, some hundreds at a time."""

    @abstractmethod
    async def get(self, ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        """Answer those entries that are there, by id; up to some thousands at a time."""


class Archive(ABC):
    """A storage to be read and filled as a whole. Whatever fails leaves it as it was.

    Every method opens what it needs and closes it again, and raises StorageOpeningError
    where that cannot be done. All but `load` and `migrate` also work, and change nothing,
    while services use the storage.
    """

    @property
    @abstractmethod
    def files(self) -> Collection[Path]:
        """The files that hold it, there or not, which are nobody else's to write."""

    @abstractmethod
    async def status(self) -> Status:
        """Answer what the storage holds, without reading all of it if that is possible."""

    @abstractmethod
    async def check(self) -> Findings:
        """Read everything and answer what is wrong.

        Raises StorageDamaged where damage keeps it from being read at all.
        """

    @abstractmethod
    async def migrate(self) -> None:
        """Bring the storage, which may not be there yet, to the newest schema."""

    @abstractmethod
    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Answer all that is stored now, to be entered and read until it is left."""

    @abstractmethod
    async def load(
        self,
        batches: AsyncIterable[Sequence[TodoEntry]],
        *,
        revision: int,
        replace: bool = False,
    ) -> None:
        """Store entries under the revisions they have: all of them or, if it fails, none.

        The storage has to be of the newest schema. The store goes on from `revision`;
        raises StorageAhead if it has given that out already. What it held before is replaced,
        or, unless that is wanted, raises StorageNotEmpty. Ids must differ; their order does
        not matter.
        """


def check_replaceable(
    *, entries: int, held_revision: int, revision: int, replace: bool
) -> None:
    """Raise what `load` raises for a storage that holds so many entries, up to a revision."""
    if entries and not replace:
        raise StorageNotEmpty(entries)
    if held_revision and held_revision >= revision:
        raise StorageAhead(held_revision)
