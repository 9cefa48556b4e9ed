"""An SQL storage as its operators see it."""

import logging
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace as with_values
from pathlib import Path
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import (
    Archive,
    Findings,
    Snapshot,
    Status,
    check_replaceable,
)
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.connection import Connection, Step, Steps
from myapp.infrastructure.database.sql.connections import (
    DATABASE_FAILURES,
    FAILURES,
    Connections,
    brief,
)
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.entry_rows import EntryRows
from myapp.infrastructure.database.sql.inspection import flaws
from myapp.infrastructure.database.sql.migrating import schema_of
from myapp.infrastructure.database.sql.opening import connected, migrate, usable
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS, to_entry
from myapp.infrastructure.database.sql.schema import (
    SCHEMA,
    todo_change,
    todo_entry,
    todo_entry_tag,
    todo_receipt,
    todo_store,
    todo_tag,
)
from myapp.infrastructure.database.sql.storing import LOCK, write

_ENTRIES_AT_ONCE = 500

_COUNTS = select(todo_store.c.revision, todo_store.c.entries)
_FIRST = select(*ENTRY_COLUMNS).order_by(todo_entry.c.id).limit(_ENTRIES_AT_ONCE)
_NEXT = _FIRST.where(todo_entry.c.id > bindparam("last"))
_SOME = select(*ENTRY_COLUMNS).where(todo_entry.c.id.in_(bindparam("ids", expanding=True)))
_BEGIN_ANEW = update(todo_store).values(
    entries=0,
    open_entries=0,
    revision=bindparam("begin"),
    history_begin=bindparam("begin"),
)

_log = logging.getLogger(__name__)


class SqlArchive(Archive):
    """The tables of a database, which are read and filled without any haste."""

    def __init__(self, dialect: Dialect, options: StorageOptions) -> None:
        self.dialect = dialect
        self._options = options
        self._unhurried = with_values(options, statement_timeout=0)

    @property
    def files(self) -> Collection[Path]:
        return self.dialect.files

    async def status(self) -> Status:
        self.dialect.check_presence()
        with usable(self.dialect):
            schema = await self.dialect.run_sync(schema_of, self._unhurried)
            connections = Connections(self.dialect, self._unhurried)
            try:
                async with connections.connect() as connection:
                    size = await self.dialect.size(connection)
                    if schema is None:
                        return Status(0, 0, size, schema, SCHEMA)
                    ((revision, entries),) = await connection.fetch(_COUNTS, {})
                    return Status(entries, revision, size, schema, SCHEMA)
            finally:
                await connections.close()

    async def check(self) -> Findings:
        try:
            async with self._snapshot() as connection:
                return Findings(await connection.run(flaws(self.dialect)))
        except StorageUnusable as error:
            cause = error.__cause__
            if isinstance(cause, Exception) and self.dialect.is_damage(cause):
                return Findings([f"Not all of it can be read ({brief(cause)})."])
            raise

    async def migrate(self) -> None:
        await migrate(self.dialect, self._options)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        async with self._snapshot() as connection:
            ((revision, entries),) = await connection.fetch(_COUNTS, {})
            yield _SqlSnapshot(connection, revision, entries)

    async def load(
        self,
        batches: AsyncIterable[Sequence[TodoEntry]],
        *,
        revision: int,
        replace: bool = False,
    ) -> None:
        async with self._connected() as connections:
            async with connections.transaction() as connection:
                await connection.fetch(LOCK, {})
                ((held_revision, held_entries),) = await connection.fetch(_COUNTS, {})
                check_replaceable(
                    entries=held_entries,
                    held_revision=held_revision,
                    revision=revision,
                    replace=replace,
                )
                await connection.run(self._remove_everything(revision))
                await self._fill(connection, batches, revision)
            await self._make_fast(connections)

    async def _fill(
        self,
        connection: Connection,
        batches: AsyncIterable[Sequence[TodoEntry]],
        revision: int,
    ) -> None:
        async for batch in batches:
            rows = EntryRows()
            for entry in batch:
                rows.put(None, entry)
            await connection.run(write(rows.work(self.dialect.search, revision)))

    async def _make_fast(self, connections: Connections) -> None:
        """Do what spares others waiting; whatever comes of it, all is stored already."""
        try:
            async with connections.connect() as connection:
                for statement in self.dialect.after_load:
                    await connection.fetch(statement, {})
        except FAILURES as error:
            _log.warning(
                "%s: all is stored, but will be slow at first (%s)",
                self.dialect.place,
                brief(error),
            )

    def _remove_everything(self, revision: int) -> Steps[None]:
        """Empty all tables, and let the history begin at a revision."""
        tables = (todo_entry, todo_entry_tag, todo_tag, todo_change, todo_receipt)
        for statement in (*self.dialect.search.clearing(), *map(delete, tables)):
            yield Step(statement)
        yield Step(_BEGIN_ANEW, [{"begin": revision}])

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        self.dialect.check_presence()
        async with self._connected() as connections, connections.snapshot() as connection:
            yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connections]:
        async with connected(self.dialect, self._unhurried) as connections:
            # An OSError may be that of whoever reads, or fills, the storage.
            with usable(self.dialect, DATABASE_FAILURES):
                yield connections


class _SqlSnapshot(Snapshot):
    def __init__(self, connection: Connection, revision: int, count: int) -> None:
        self.revision = revision
        self.count = count
        self._connection = connection

    async def batches(self) -> AsyncIterator[Sequence[TodoEntry]]:
        rows = await self._connection.fetch(_FIRST, {})
        while rows:
            entries = [to_entry(*row) for row in rows]
            yield entries
            rows = await self._connection.fetch(_NEXT, {"last": entries[-1].id})

    async def get(self, ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        rows = await self._connection.fetch(_SOME, {"ids": list(ids)})
        return {entry.id: entry for entry in (to_entry(*row) for row in rows)}
