"""A disk that fails, fills up or waits when it is told to, and remembers what it was asked."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

from myapp.infrastructure.database.disk import Disk
from tests.faults.short_ways import DEADLINE

Operation = Literal["create", "write", "truncate", "sync", "replace", "sync_folder"]


@dataclass(slots=True)
class _Failure:
    number: int
    after: int
    times: int


class FailingDisk(Disk):
    """Works until told otherwise.

    `asked` lists what was asked and of which file: files are numbered as they are opened.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Operation, int]] = []
        self._failures: dict[Operation, _Failure] = {}
        self._prepared: dict[Operation, tuple[Operation, _Failure]] = {}
        self._files: dict[int, int] = {}
        self._opened = 0
        self._free: int | None = None
        self._reached, self._released = Event(), Event()
        self._held: Operation | None = None

    def fail(
        self,
        operation: Operation,
        number: int,
        *,
        once: Operation | None = None,
        after: int = 0,
        times: int = 10**9,
    ) -> None:
        """Fail with this error number: after so many calls that succeed, so many times.

        With `once`, all that begins with the next such call.
        """
        failure = _Failure(number, after, times)
        if once is None:
            self._failures[operation] = failure
        else:
            self._prepared[once] = operation, failure

    def work(self) -> None:
        """Be a good disk from now on, with plenty of space."""
        self._failures.clear()
        self._free = None

    def leave_free(self, space: int) -> None:
        """Take so many more bytes, then be full: others take what is given back."""
        self._free = space

    def hold(self, operation: Operation) -> None:
        """Let the next such call wait until it is released."""
        self._reached.clear()
        self._released.clear()
        self._held = operation

    def reached(self) -> bool:
        """Answer, once a call waits, that it does; or after the deadline that none does."""
        return self._reached.wait(DEADLINE)

    def release(self) -> None:
        """Let the call that waits go on."""
        self._released.set()

    def synced(self) -> list[int]:
        """Answer the numbers of the files that were to be synced, in order."""
        return [file for operation, file in self.asked if operation == "sync"]

    def create(self, path: Path) -> int:
        """See Disk."""
        self._ask("create", self._opened + 1)
        return self._number(super().create(path))

    def open(self, path: Path) -> int:
        """See Disk."""
        return self._number(super().open(path))

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """See Disk; a full disk takes what fits before it fails, as a real one does."""
        self._ask("write", self._files[descriptor])
        if self._free is not None:
            grown = offset + len(data) - os.fstat(descriptor).st_size
            if grown > self._free:
                super().write(descriptor, data[: len(data) - grown + self._free], offset)
                self._free = 0
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._free -= grown
        super().write(descriptor, data, offset)

    def truncate(self, descriptor: int, size: int) -> None:
        """See Disk."""
        self._ask("truncate", self._files[descriptor])
        super().truncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """See Disk; nothing is really synced."""
        self._ask("sync", self._files[descriptor])

    def replace(self, source: Path, target: Path) -> None:
        """See Disk."""
        self._ask("replace", self._opened)
        super().replace(source, target)

    def sync_folder(self, folder: Path) -> None:
        """See Disk; nothing is really synced."""
        self._ask("sync_folder", 0)

    def _number(self, descriptor: int) -> int:
        self._opened += 1
        self._files[descriptor] = self._opened
        return descriptor

    def _ask(self, operation: Operation, file: int) -> None:
        self.asked.append((operation, file))
        if self._held == operation:
            self._held = None
            self._reached.set()
            assert self._released.wait(DEADLINE)
        if operation in self._prepared:
            self._failures.update([self._prepared.pop(operation)])
        failure = self._failures.get(operation)
        if failure is None:
            return
        if failure.after:
            failure.after -= 1
        elif failure.times:
            failure.times -= 1
            raise OSError(failure.number, os.strerror(failure.number))
