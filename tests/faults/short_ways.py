"""Short ways to entries and into a pickle storage, shared by the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack
from uuid import UUID

from myapp.domain.errors import HistoryForgotten
from myapp.domain.todo import TodoEntry, TodoFields
from myapp.domain.todo_entry_repository import PAGE_MOST, TodoEntryRepository, TodoQuery
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.frames import Frame, read_frames
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    PickleTodoEntryRepository,
    open_pickle_storage,
)

DEADLINE = 20.0
"""Seconds after which something that should have happened counts as never happening."""

MOMENT = datetime(2026, 11, 21, 10, tzinfo=UTC)


class QuickDisk(Disk):
    """A disk that is never cut off from power, and so need not wait for it."""

    def sync(self, descriptor: int) -> None:
        """Trust the system."""

    def sync_folder(self, folder: Path) -> None:
        """Trust the system."""


def todo(number: int, content: str = "", **fields: Unpack[TodoFields]) -> TodoEntry:
    """Answer a new entry that the number names."""
    content = content or f"entry {number}"
    return TodoEntry.create_from_content(content, id=UUID(int=number), at=MOMENT, **fields)


@asynccontextmanager
async def opened(
    folder: Path, disk: Disk | None = None
) -> AsyncIterator[PickleTodoEntryRepository]:
    """Open the storage; neither what is done with it nor closing it may take for ever."""
    async with asyncio.timeout(2 * DEADLINE):
        async with open_pickle_storage(folder, disk) as repository:
            async with asyncio.timeout(DEADLINE):
                yield repository


async def all_entries(repository: TodoEntryRepository) -> dict[UUID, TodoEntry]:
    """Answer the entries that readers see, by id."""
    page = await repository.find(TodoQuery(limit=PAGE_MOST))
    assert page.next is None
    return {entry.id: entry for entry in page.entries}


async def entries_in(folder: Path, disk: Disk | None = None) -> dict[UUID, TodoEntry]:
    """Answer the entries that a start of the service would find."""
    async with opened(folder, disk) as repository:
        return await all_entries(repository)


async def check_history(repository: TodoEntryRepository) -> None:
    """Fail unless the changes that are kept tell how the entries came to be what they are."""
    history = repository.history
    try:
        changes = (await history.changes(0, limit=PAGE_MOST)).changes
    except HistoryForgotten as forgotten:
        changes = (await history.changes(forgotten.begin, limit=PAGE_MOST)).changes
    assert len(changes) < PAGE_MOST
    states: dict[UUID, TodoEntry] = {}
    for change in changes:
        assert change.before == states.get(change.entry_id, change.before)
        states[change.entry_id] = change.after
    found = await all_entries(repository)
    for entry_id, state in states.items():
        assert found.get(entry_id) == (None if state.removed else state)


async def forget(repository: TodoEntryRepository) -> None:
    """Let the journal be of no use but for the entries that are there."""
    await repository.history.forget(keep=0, receipts_before=MOMENT)


def frames_in(folder: Path) -> list[Frame]:
    """Answer the frames of the folder's journal."""
    path = folder / JOURNAL
    return list(read_frames(path.read_bytes(), path))


def headers_in(folder: Path) -> list[bytes]:
    """Answer the headers of these frames."""
    journal = (folder / JOURNAL).read_bytes()
    frames = frames_in(folder)
    return [journal[frame.start : frame.end - len(frame.payload)] for frame in frames]
