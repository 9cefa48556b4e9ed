"""A journal of format version 1 and what it holds.

`python -m tests.faults.journals.version_1` wrote v1/todo.journal while that format was the
current one. A file that users may have is never written again, so this refuses to.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.frames import VERSION
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    PickleTodoEntryRepository,
    open_pickle_storage,
)
from myapp.infrastructure.database.records import encode
from tests.saving import save_all

FOLDER = Path(__file__).with_name("v1")
REVISION = 12
"""The last revision given out, the last three of them to saves that failed."""

_BEGIN = datetime(2026, 11, 21, 10, 0, 0, 123_456, tzinfo=UTC)
_HOUR = timedelta(hours=1)

_PLAIN = TodoEntry.create_from_content(
    "buy oat milk", id=UUID("0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e"), at=_BEGIN
)
_FULL = TodoEntry.create_from_content(
    "Größe prüfen 牛乳 🥛",
    id=UUID(bytes=bytes(range(0xF5, 0x100)) + bytes(range(0xF5, 0xFA))),
    at=_BEGIN + _HOUR,
    notes="first line\n\tsecond line\n" + "long " * 100 + "end",
    tags=("home", "büro", "店"),
    priority=Priority.HIGH,
    due=Due(datetime(1, 1, 1, tzinfo=UTC)),
    done=True,
)
_DAY = TodoEntry.create_from_content(
    "due on a day", id=UUID(int=2**128 - 1), at=_BEGIN, due=Due(date(9999, 12, 31))
)
_GONE = TodoEntry.create_from_content("removed again", id=UUID(int=0), at=_BEGIN)

ENTRIES = (
    replace(_FULL, revision=2),
    replace(_DAY, priority=Priority.LOW, updated_at=_BEGIN + 3 * _HOUR, revision=6),
    replace(_PLAIN, revision=8).add_tag("shop", at=_BEGIN + 2 * _HOUR),
)
"""All that readers see, in the order of their revisions."""


async def _fill(repository: PickleTodoEntryRepository) -> None:
    (plain,) = await save_all(repository, _PLAIN)  # 1
    _, gone = await save_all(repository, _FULL, _GONE)  # 2 and 3, in one frame
    await repository.save(gone.remove(at=_BEGIN + _HOUR))  # 4
    (day,) = await save_all(repository, _DAY)  # 5
    await repository.save(day.change(at=_BEGIN + 3 * _HOUR, priority=Priority.LOW))  # 6
    again = replace(_GONE, content="removed once more")
    tagged = plain.add_tag("shop", at=_BEGIN + 2 * _HOUR)
    gone, _ = await save_all(repository, again, tagged)  # 7 and 8
    await repository.save(gone.remove(at=_BEGIN + _HOUR))  # 9


async def _make(folder: Path) -> None:
    folder.mkdir()
    async with open_pickle_storage(folder) as repository:
        await _fill(repository)
    journal = Journal(folder / JOURNAL, Disk())
    journal.open(lambda payload: None)
    journal.append(encode(REVISION, []))
    journal.close()
    (folder / "lock").unlink()


if __name__ == "__main__":
    assert VERSION == 1, "this release writes another format"
    asyncio.run(_make(FOLDER))
