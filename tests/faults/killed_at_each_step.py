"""A process that is killed at its first step, then another at its second, and so on.

`python -m tests.faults.killed_at_each_step FOLDER` runs the same script over and over, each
time in a process and a folder of its own (FOLDER/0, FOLDER/1 …), until one gets to its end. A
step is a call of the disk, or half a write. Each entry acknowledged is noted in
FOLDER/N.acknowledged, as a line with its number, the number of its change and its revision.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database import contents, journal_writer
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    open_pickle_storage,
)
from tests.faults.short_ways import forget, todo
from tests.saving import save_all

ENTRIES = 6
CHANGES = 24

_CHUNK = 4


def state(number: int, change: int) -> str:
    """Answer the content of an entry after so many changes."""
    return f"entry {number}, change {change} " + "x" * 100


class _KillingDisk(Disk):
    """Works for so many steps, then kills its process as nothing else could be noticed."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def create(self, path: Path) -> int:
        """See Disk."""
        self._step()
        return super().create(path)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """See Disk."""
        self._step()
        half = len(data) // 2
        super().write(descriptor, data[:half], offset)
        self._step()
        super().write(descriptor, data[half:], offset + half)

    def truncate(self, descriptor: int, size: int) -> None:
        """See Disk."""
        self._step()
        super().truncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """See Disk; who is only killed need not wait."""
        self._step()

    def replace(self, source: Path, target: Path) -> None:
        """See Disk."""
        self._step()
        super().replace(source, target)

    def sync_folder(self, folder: Path) -> None:
        """See Disk; who is only killed need not wait."""
        self._step()

    def _step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


async def _script(folder: Path, acknowledged: int, steps: int) -> None:
    """Store some entries, then change the last so often that this is compacted twice."""

    def note(entries: Sequence[TodoEntry], change: int) -> None:
        lines = [f"{entry.id.int} {change} {entry.revision}\n" for entry in entries]
        os.write(acknowledged, "".join(lines).encode())

    async with open_pickle_storage(folder, _KillingDisk(steps)) as repository:
        new = [todo(number, state(number, 0)) for number in range(ENTRIES)]
        *_, entry = stored = await save_all(repository, *new)
        note(stored, 0)
        for change in range(1, CHANGES + 1):
            content = state(entry.id.int, change)
            await forget(repository)
            (entry,) = await save_all(
                repository, entry.change(at=entry.updated_at, content=content)
            )
            note([entry], change)


def _run(folder: Path, steps: int) -> int:
    """Run the script in a process that is killed after so many steps; answer how it ended."""
    process = os.fork()
    if process == 0:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        acknowledged = os.open(f"{folder}.acknowledged", flags, 0o600)
        asyncio.run(_script(folder, acknowledged, steps))
        os._exit(0)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def main(folder: Path) -> None:
    """Kill the script at every step, until it runs through."""
    contents._CHUNK = journal_writer._COMPACT_BEYOND = _CHUNK
    steps = 0
    while (code := _run(folder / str(steps), steps)) == -signal.SIGKILL:
        steps += 1
    sys.exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
