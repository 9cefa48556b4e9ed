"""A process that follows the changes while others store them: `python -m` it with a URL.

It opens the storage, says that it is ready, and follows from the very beginning. Told a
revision on stdin it goes on until it has come there, and then prints each revision that it
has seen, in that order, as `seen REVISION`, and what it takes for the list, an entry a line,
as `entry ID REVISION`.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_history import TodoHistory
from myapp.infrastructure.database.storage import open_storage
from tests.contract.following import check_page, replayed

_LIMIT = 20
_PAUSE = 0.005


async def main(url: str) -> None:
    """Follow, and tell."""
    logging.basicConfig(level=logging.ERROR)  # a server for tests gives reason for warnings
    async with open_storage(url) as repository:
        print("ready", flush=True)
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        seen = await follow_until(told, repository.history)
    known: dict[UUID, TodoEntry] = replayed({}, seen)
    for change in seen:
        print("seen", change.revision)
    for entry in known.values():
        print("entry", entry.id, entry.revision)


async def follow_until(told: asyncio.Future[str], history: TodoHistory) -> Sequence[Change]:
    """Follow from the very beginning, until the revision is reached that is told some time."""
    seen: list[Change] = []
    since = 0
    while not told.done() or since < int(told.result()):
        page = await history.changes(since, limit=_LIMIT)
        check_page(page, since, _LIMIT)
        seen += page.changes
        since = page.next
        if not page.changes:
            await asyncio.sleep(_PAUSE)
    return seen


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
