"""A process that changes entries while others do, as the tests start it with `python -m`.

    URL tag NAME ID…    puts a tag of its own on each of the entries; on some, several
    URL live NAME ID…   changes each of the entries; adds, removes and restores others meanwhile
    URL once NAME ID…   makes the same requests as all others, under the same keys

It opens the storage, says that it is ready, waits for a line, and then prints the revisions
that it was given, one a line. If anything goes wrong, it is told of on stderr.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from random import Random
from uuid import UUID, uuid4, uuid5

from myapp.application import edits
from myapp.application.edits import Operation
from myapp.application.todo_service import IdempotencyKey, TodoService
from myapp.domain.errors import StaleTodoEntry
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.storage import open_storage
from myapp.infrastructure.identity import utc_now

_AT_ONCE = 4


async def main(url: str, what: str, name: str, *ids: str) -> None:
    """Do it, and come back once all is stored."""
    logging.basicConfig(level=logging.ERROR)  # a server for tests gives reason for warnings
    do = {"tag": _tag, "live": _live, "once": _once}[what]
    async with open_storage(url) as repository:
        print("ready", flush=True)
        sys.stdin.readline()
        service = TodoService(repository, utc_now, uuid4)
        await do(service, name, [UUID(entry_id) for entry_id in ids])


async def _tag(service: TodoService, name: str, ids: Sequence[UUID]) -> None:
    """Put the tags on in an order of its own, some at once."""
    tags = [(entry_id, f"{name}-{number}") for number, entry_id in enumerate(ids)]
    Random(name).shuffle(tags)
    for start in range(0, len(tags), _AT_ONCE):
        some = tags[start : start + _AT_ONCE]
        _tell(*await asyncio.gather(*(service.add_tag(*tag) for tag in some)))


async def _live(service: TodoService, name: str, ids: Sequence[UUID]) -> None:
    """Add an entry and change one; do both at once, with a removal; and undo the removal."""
    for number, entry_id in enumerate(ids):
        content = f"{name} {number}"
        removed = await service.add_entry(f"{content}, to be removed")
        _tell(removed)
        changed = await service.change_entry(entry_id, content=content)
        _tell(changed)
        together = (
            changed.change(at=utc_now(), content=f"{content}, again"),
            removed.remove(at=utc_now()),
            TodoEntry.create_from_content(content, id=uuid4(), at=utc_now()),
        )
        try:
            changes = await service.repository.save(*together)
        except StaleTodoEntry as error:  # since another process was faster
            assert list(error.entry_ids) == [entry_id]
        else:
            restoration = await service.undo(changes[1].revision)
            _tell(*(change.after for change in (*changes, restoration)))


async def _once(service: TodoService, name: str, ids: Sequence[UUID]) -> None:
    """Add an entry; create another one while changing one; undo that creation."""
    for entry_id in ids:
        added = await service.add_entry("added once", key=_key("add", entry_id))
        operations = [
            Operation(uuid5(entry_id, "created once"), edits.create("created once")),
            Operation(entry_id, edits.change(content=f"changed by {name}")),
        ]
        changes = await service.carry_out(operations, key=_key("batch", entry_id))
        undone = await service.undo(changes[0].revision, key=_key("undo", entry_id))
        _tell(added, *(change.after for change in (*changes, undone)))


def _key(what: str, entry_id: UUID) -> IdempotencyKey:
    return IdempotencyKey(f"{what} {entry_id}", digest=what)


def _tell(*stored: TodoEntry) -> None:
    for entry in stored:
        print(entry.revision)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
