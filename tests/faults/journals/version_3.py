"""A journal of format version 3 and what it holds.

`python -m tests.faults.journals.version_3` wrote v3/todo.journal while that format was the
current one. A file that users may have is never written again, so this refuses to.

Where there are many states together they are in columns, all else is as in version 2.
"""

import asyncio
from collections.abc import Sequence
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

FOLDER = Path(__file__).with_name("v3")
REVISION = 130
"""The last revision given out, the last two of them to saves that failed."""

BEGIN = 71
"""The last revision whose change is forgotten."""

_BEGIN = datetime(2026, 11, 24, 10, 0, 0, 123_456, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_ENTRIES, _COMPLETED = 70, 55
_TEXTS = ("buy oat milk", "Größe prüfen", "вернуть книги", "牛乳を買う", "🥛 " * 20 + "z")
_DUE = (None, None, Due(date(9999, 12, 31)), Due(datetime(1, 1, 1, tzinfo=UTC)), None)
_TAGS = ((), ("home",), ("büro", "店"), tuple(f"tag-{number:02}" for number in range(100)))


def _entry(number: int) -> TodoEntry:
    return TodoEntry.create_from_content(
        _TEXTS[number % len(_TEXTS)],
        id=UUID(int=2**128 - 1 - 2**120 * number),
        at=_BEGIN + number * _HOUR,
        notes="first line\n\tsecond line" * (number % 7 == 0),
        tags=_TAGS[number % len(_TAGS)],
        priority=list(Priority)[number % len(Priority)],
        due=_DUE[number % len(_DUE)],
        done=number % 3 == 0,
    )


def _completed(entry: TodoEntry) -> TodoEntry:
    at = entry.created_at + _HOUR
    done = replace(entry, completed_at=at, updated_at=at, notes="done")
    return replace(done, revision=entry.revision + BEGIN)


_NEW = [replace(_entry(number), revision=number + 1) for number in range(_ENTRIES)]
_REMOVED_71 = replace(_NEW[-1].remove(at=_BEGIN + 99 * _HOUR), revision=71)
_COMPLETED_126 = [_completed(entry) for entry in _NEW[:_COMPLETED]]
_RESTORED_127 = replace(_NEW[-1], content="there again", revision=127)
_REMOVED_128 = replace(_NEW[-2].remove(at=_BEGIN + 101 * _HOUR), revision=128)

ENTRIES: Sequence[TodoEntry] = (
    *_NEW[_COMPLETED:-2],
    *_COMPLETED_126,
    _RESTORED_127,
)
"""All that readers see, in the order of their revisions."""

CHANGES: Sequence[Change] = (
    *map(Change, _NEW, _COMPLETED_126),
    Change(_REMOVED_71, _RESTORED_127),
    Change(_NEW[-2], _REMOVED_128),
)
"""All that is kept of what happened."""

RECEIPTS = (
    Receipt(key="nothing", digest="one", at=_BEGIN),
    Receipt(key="Größe 🥛", digest="two", at=_BEGIN + _HOUR, changes=CHANGES[-1:]),
)


async def _fill(repository: PickleTodoEntryRepository) -> None:
    nothing, removal = RECEIPTS
    await repository.save(*(replace(entry, revision=0) for entry in _NEW))  # 1 to 70
    await repository.save(replace(_REMOVED_71, revision=_NEW[-1].revision))  # 71
    await repository.save(
        *(
            replace(after, revision=before.revision)
            for before, after in zip(_NEW, _COMPLETED_126)
        )
    )  # 72 to 126
    await repository.save(replace(_RESTORED_127, revision=_REMOVED_71.revision))  # 127
    await repository.history.forget(keep=_COMPLETED + 1, receipts_before=_BEGIN)
    with MonkeyPatch.context() as patch:
        patch.setattr(journal_writer, "_COMPACT_BEYOND", -1_000)  # so this is the time to
        await repository.save(receipt=nothing)
    await repository.save(
        replace(_REMOVED_128, revision=_NEW[-2].revision), receipt=removal
    )  # 128


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
    assert VERSION == 3, "this release writes another format"
    asyncio.run(_make(FOLDER))
