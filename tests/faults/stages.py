"""All that a storage does to its files, stage by stage, for a process of its own to do.

The process tells what it does as it goes, and waits before each stage until told to go on,
and after each refusal until told that the cause is gone.
"""

import asyncio
import ctypes
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

from pytest import MonkeyPatch

from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository, TodoQuery
from myapp.infrastructure.database import contents, journal_writer
from myapp.infrastructure.database.errors import StorageOpeningError
from myapp.infrastructure.database.journal_writer import JournalWriter
from myapp.infrastructure.database.sql import opening, sqlite_log
from myapp.infrastructure.database.storage import open_storage
from tests.faults.power_cuts import Kept, Sent, Shown
from tests.faults.short_ways import DEADLINE, MOMENT, all_entries, forget, todo
from tests.saving import save_all

_CHANGES = 6
_FEW = 4
_FEW_ROWS = 30
_ROOM = 10
_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)  # see prctl(2)

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Stage:
    """What comes is about to begin."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The storage could not be written, or not be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The storage could not be opened, or not be closed, as its operator is told."""

    reason: str


def run(url: str, connection: Connection) -> None:
    """Go through the stages on a storage; the first message is the connection's descriptor."""
    ctypes.CDLL(None).prctl(_SET_PTRACER, _ANYBODY)  # unless anybody may trace it anyway
    logging.disable()
    with closing(connection), MonkeyPatch.context() as patch:
        connection.send(connection.fileno())
        _compact_early(patch)
        _split_opening(patch, connection)
        try:
            asyncio.run(_go_through(url, connection))
        except (StorageOpeningError, OSError) as error:
            connection.send(Failed(str(error)))


def _compact_early(patch: MonkeyPatch) -> None:
    """Let a journal be compacted, and a log be carried over, after a few changes."""
    patch.setattr(journal_writer, "_COMPACT_BEYOND", _FEW)
    patch.setattr(contents, "_CHUNK", _FEW)
    patch.setattr(sqlite_log, "_ROWS_CHANGED", _FEW_ROWS)


def _split_opening(patch: MonkeyPatch, connection: Connection) -> None:
    """Begin another stage where another thread takes over: calls are counted by thread."""
    read = _staged("read the journal", connection, JournalWriter.open)
    patch.setattr(JournalWriter, "open", read)
    patch.setattr(opening, "connected", _staged("connect", connection, opening.connected))


def _staged(
    name: str, connection: Connection, call: Callable[_Arguments, _Answer]
) -> Callable[_Arguments, _Answer]:
    def staged(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        _begin(connection, Stage(name))
        return call(*args, **kwargs)

    return staged


def _begin(connection: Connection, what: Stage | Refused) -> None:
    connection.send(what)
    connection.recv()


async def _go_through(url: str, connection: Connection) -> None:
    stage = partial(_begin, connection)
    stage(Stage("open"))
    async with open_storage(url) as repository:
        client = _Client(repository, connection)
        await client.show()
        stage(Stage("first create"))
        await client.store(await client.new())
        stage(Stage("create"))
        new = await client.new()
        others = (todo(new.id.int + 1, notes="x" * 5_000), todo(new.id.int + 2, tags=("home",)))
        await client.store(new, *others)
        stage(Stage("update"))
        await client.store(_changed((await client.entries())[0], "updated"))
        stage(Stage("remove"))
        await client.store((await client.entries())[-1].remove(at=MOMENT))
        stage(Stage("compact"))
        for change in range(_CHANGES):
            await client.forget()
            await client.store(_changed((await client.entries())[0], f"change {change}"))
        await client.show()
        stage(Stage("close"))


def _changed(entry: TodoEntry, content: str) -> TodoEntry:
    return entry.change(at=MOMENT, content=content)


class _Client:
    """Tells what it sends and what it is answered."""

    def __init__(self, repository: TodoEntryRepository, connection: Connection) -> None:
        self._repository = repository
        self._connection = connection
        self._newest = 0

    async def store(self, *entries: TodoEntry) -> None:
        """Store entries; where that is refused, store a new one once that is possible."""
        self._connection.send(Sent(entries))
        stored = await self._try(partial(save_all, self._repository, *entries))
        if stored is None:
            await self._wait_until_ready()
            await self.show()
            entries = (await self.new(),)
            self._connection.send(Sent(entries))
            stored = await save_all(self._repository, *entries)
        self._connection.send(Kept(stored))

    async def forget(self) -> None:
        """Let nothing be kept but what entries are."""
        if await self._try(partial(_forget, self._repository)) is None:
            await self._wait_until_ready()

    async def entries(self) -> Sequence[TodoEntry]:
        """Answer all entries."""
        read = partial(all_entries, self._repository)
        found = await self._try(read)
        return [*(await read() if found is None else found).values()]

    async def new(self) -> TodoEntry:
        """Answer an entry whose id was never used."""
        self._newest = max([self._newest, *(entry.id.int for entry in await self.entries())])
        self._newest += _ROOM
        return todo(self._newest)

    async def show(self) -> None:
        """Read everything."""
        find = partial(self._repository.find, TodoQuery())
        page = await self._try(find) or await find()
        self._connection.send(Shown({entry.id: entry for entry in page.entries}, page.revision))

    async def _try(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer | None:
        """Answer what the call does, or nothing if it is refused, once the cause is gone."""
        try:
            return await call()
        except (StorageFull, StorageUnavailable) as error:
            _begin(self._connection, Refused(f"{error!r} because of {error.__cause__!r}"))
            return None

    async def _wait_until_ready(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    return await self._repository.check()
                except (StorageFull, StorageUnavailable):
                    await asyncio.sleep(0.01)


async def _forget(repository: TodoEntryRepository) -> bool:
    await forget(repository)
    return True
