"""The naive archive: entries in a dict, and a way to let it lose or change some."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
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

AT_ONCE = 3


class InMemoryArchive(Archive):
    """Holds what it is given; `tamper` answers what becomes of each entry it is to hold."""

    def __init__(self, entries: Iterable[TodoEntry] = (), revision: int = 0) -> None:
        self.entries = {entry.id: entry for entry in entries}
        self.revision = revision
        self.tamper: Callable[[TodoEntry], Sequence[TodoEntry]] = lambda entry: [entry]

    @property
    def files(self) -> Collection[Path]:
        return ()

    async def status(self) -> Status:
        return Status(len(self.entries), self.revision, size=0)

    async def check(self) -> Findings:
        return Findings(problems=())

    async def migrate(self) -> None:
        """A dict has no schema."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        yield _Snapshot(self.entries, self.revision)

    async def load(
        self,
        batches: AsyncIterable[Sequence[TodoEntry]],
        *,
        revision: int,
        replace: bool = False,
    ) -> None:
        check_replaceable(
            entries=len(self.entries),
            held_revision=self.revision,
            revision=revision,
            replace=replace,
        )
        entries = [entry async for batch in batches for entry in batch]
        kept = [entry for loaded in entries for entry in self.tamper(loaded)]
        self.entries = {entry.id: entry for entry in kept}
        self.revision = revision


class _Snapshot(Snapshot):
    def __init__(self, entries: Mapping[UUID, TodoEntry], revision: int) -> None:
        self._entries = dict(entries)
        self.revision = revision
        self.count = len(entries)

    async def batches(self) -> AsyncIterator[Sequence[TodoEntry]]:
        ordered = sorted(self._entries.values(), key=lambda entry: entry.id.int)
        for start in range(0, len(ordered), AT_ONCE):
            yield ordered[start : start + AT_ONCE]

    async def get(self, ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        return {id: self._entries[id] for id in ids if id in self._entries}
