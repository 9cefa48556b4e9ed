"""A journal of format version 2 and what it holds.

`python -m tests.faults.journals.version_2` wrote v2/todo.journal while that format was the
current one. A file that users may have is never written again, so this refuses to.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from pytest import MonkeyPatch

from myapp.domain.change import Change
from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database import journal_writer
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.frames import VERSION
from myapp.infrastructure.database.journal import Journal
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    JOURNAL,
    PickleTodoEntryRepository,
    open_pickle_storage,
)
from myapp.infrastructure.database.records import encode_changes
from tests.saving import save_all

FOLDER = Path(__file__).with_name("v2")
REVISION = 13
"""The last revision given out, the last three of them to saves that failed."""

BEGIN = 5
"""The last revision whose change is forgotten."""

_BEGIN = datetime(2026, 11, 23, 10, 0, 0, 123_456, tzinfo=UTC)
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

_PLAIN_1 = replace(_PLAIN, revision=1)
_FULL_2 = replace(_FULL, revision=2)
_REMOVED_4 = replace(_GONE.remove(at=_BEGIN + _HOUR), revision=4)
_DAY_5 = replace(_DAY, revision=5)
_RESTORED_6 = replace(_GONE, content="there again", updated_at=_BEGIN + 2 * _HOUR, revision=6)
_DAY_7 = replace(_DAY, priority=Priority.LOW, updated_at=_BEGIN + 3 * _HOUR, revision=7)
_PLAIN_8 = replace(_PLAIN.add_tag("shop", at=_BEGIN + 3 * _HOUR), revision=8)
_REMOVED_9 = replace(_FULL.remove(at=_BEGIN + 4 * _HOUR), revision=9)
_PLAIN_10 = replace(_PLAIN_8.complete(at=_BEGIN + 5 * _HOUR), revision=10)

ENTRIES = (_RESTORED_6, _DAY_7, _PLAIN_10)
"""All that readers see, in the order of their revisions."""

CHANGES = (
    Change(_REMOVED_4, _RESTORED_6),
    Change(_DAY_5, _DAY_7),
    Change(_PLAIN_1, _PLAIN_8),
    Change(_FULL_2, _REMOVED_9),
    Change(_PLAIN_8, _PLAIN_10),
)
"""All that is kept of what happened."""

_FORGOTTEN = Receipt(key="forgotten", digest="one", at=_BEGIN)
RECEIPTS = (
    Receipt(key="nothing", digest="two", at=_BEGIN + 2 * _HOUR),
    Receipt(key="Größe 🥛", digest="three", at=_BEGIN + 3 * _HOUR, changes=CHANGES[1:3]),
)


async def _fill(repository: PickleTodoEntryRepository) -> None:
    await repository.save(_PLAIN)  # 1
    _, gone = await save_all(repository, _FULL, _GONE)  # 2 and 3, in one frame
    await repository.save(replace(_REMOVED_4, revision=gone.revision))  # 4
    await repository.save(_DAY, receipt=_FORGOTTEN)  # 5
    await repository.history.forget(keep=2, receipts_before=_BEGIN + _HOUR)
    nothing, both = RECEIPTS
    with MonkeyPatch.context() as patch:
        patch.setattr(journal_writer, "_COMPACT_BEYOND", -1_000)  # so this is the time to
        await repository.save(receipt=nothing)
    await repository.save(_based_on(_RESTORED_6, _REMOVED_4))  # 6
    await repository.save(
        _based_on(_DAY_7, _DAY_5), _based_on(_PLAIN_8, _PLAIN_1), receipt=both
    )  # 7 and 8
    await repository.save(_based_on(_REMOVED_9, _FULL_2))  # 9
    await repository.history.forget(keep=4, receipts_before=_BEGIN + _HOUR)
    await repository.save(_based_on(_PLAIN_10, _PLAIN_8))  # 10


def _based_on(after: TodoEntry, before: TodoEntry) -> TodoEntry:
    return replace(after, revision=before.revision)


async def _make(folder: Path) -> None:
    folder.mkdir()
    async with open_pickle_storage(folder) as repository:
        await _fill(repository)
    journal = Journal(folder / JOURNAL, Disk())
    journal.open(lambda payload: None)
    journal.append(encode_changes(REVISION, []))
    journal.close()
    (folder / "lock").unlink()


if __name__ == "__main__":
    assert VERSION == 2, "this release writes another format"
    asyncio.run(_make(FOLDER))
