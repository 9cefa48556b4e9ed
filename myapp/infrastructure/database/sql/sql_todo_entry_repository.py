"""The storage for many entries and many processes: tables on SQLite or PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import bindparam, select

from myapp.domain.change import Change
from myapp.domain.errors import TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    Page,
    Position,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.domain.todo_history import TodoHistory
from myapp.infrastructure.database.archive import Status
from myapp.infrastructure.database.known_pages import KnownPages
from myapp.infrastructure.database.moments import to_moment
from myapp.infrastructure.database.running_storage import RunningStorage, StorageUse
from myapp.infrastructure.database.sql.connection import Rows
from myapp.infrastructure.database.sql.connections import FAILURES, Connections
from myapp.infrastructure.database.sql.queries import (
    FEW,
    end_of_order,
    page_in_order,
    page_of_few,
    page_of_found,
)
from myapp.infrastructure.database.sql.rows import ENTRY_COLUMNS, from_json, to_entry
from myapp.infrastructure.database.sql.schema import (
    SCHEMA,
    todo_entry,
    todo_receipt,
    todo_store,
    todo_tag,
)
from myapp.infrastructure.database.sql.shape import Shape, values_of
from myapp.infrastructure.database.sql.sql_todo_history import SqlTodoHistory
from myapp.infrastructure.database.sql.statements import Values
from myapp.infrastructure.database.sql.storing import LAST_STATES, Save
from myapp.infrastructure.database.sql.todo_entry_writer import TodoEntryWriter

_SHORT_STRETCH, _LONGEST_STRETCH = 256, 16_384
"""How many entries of an order are read, at first and at most, to find a page along it."""

_COMMON = 8
"""So many matches on a short stretch promise that a longer one holds a page."""

_GET = select(*ENTRY_COLUMNS).where(todo_entry.c.id == bindparam("id"))
_RECEIPT = select(todo_receipt.c.digest, todo_receipt.c.at, todo_receipt.c.changes).where(
    todo_receipt.c.key == bindparam("key")
)
_COUNTS = select(todo_store.c.entries, todo_store.c.revision)
_TAGS = select(todo_tag.c.tag, todo_tag.c.open_entries, todo_tag.c.entries).order_by(
    todo_tag.c.tag
)


class SqlTodoEntryRepository(TodoEntryRepository, RunningStorage):
    """Each call is one transaction, and each that only reads one statement.

    A page that is known costs as much as a get: only the revision of the store is read, to
    see whether anybody has changed anything. What was saved here makes it needless to ask.
    """

    def __init__(self, connections: Connections, writer: TodoEntryWriter) -> None:
        self._connections = connections
        self._writer = writer
        self._dialect = connections.dialect
        self._history = SqlTodoHistory(connections)
        self._pages = KnownPages()

    @property
    def history(self) -> TodoHistory:
        return self._history

    async def get(self, entry_id: UUID) -> TodoEntry:
        rows = await self._connections.fetch(_GET, {"id": entry_id})
        if not rows:
            raise TodoEntryNotFound(entry_id)
        return to_entry(*rows[0])

    async def last_states(self, entry_ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        rows = await self._connections.fetch(LAST_STATES, {"ids": [*entry_ids]})
        return {state.id: state for state in (to_entry(*columns) for _, _, *columns in rows)}

    async def find(self, query: TodoQuery) -> Page:
        page = self._pages.get(query)
        if page is None or page.revision != await self._history.revision():
            page = await self._find(query)
            self._pages.keep(query, page)
        return page

    async def save(
        self, *entries: TodoEntry, receipt: Receipt | None = None
    ) -> Sequence[Change]:
        if not entries and receipt is None:
            return ()
        changes = await self._writer.save(Save(entries, receipt))
        self._pages.clear()
        return changes

    async def receipt(self, key: str) -> Receipt | None:
        rows = await self._connections.fetch(_RECEIPT, {"key": key})
        if not rows:
            return None
        digest, at, changes = rows[0]
        return Receipt(key=key, digest=digest, at=to_moment(at), changes=from_json(changes))

    async def tags(self) -> Sequence[TagUse]:
        rows = await self._connections.fetch(_TAGS, {})
        return [TagUse(*row) for row in rows]

    async def check(self) -> None:
        await self._writer.save(Save((), None))

    async def status(self) -> Status:
        ((entries, revision),) = await self._connections.fetch(_COUNTS, {})
        try:
            self._dialect.check()
            async with self._connections.connect() as connection:
                size = await self._dialect.size(connection)
        except FAILURES as error:
            raise self._connections.refusal(error) from error
        return Status(entries, revision, size, SCHEMA, SCHEMA)

    def use(self) -> StorageUse:
        return StorageUse(commits=self._writer.commits, pool=self._connections.pool)

    async def _find(self, query: TodoQuery) -> Page:
        shape = Shape.of(query)
        values = values_of(query, self._dialect.search)
        if shape.filtered:
            return await self._find_filtered(query, shape, values)
        window = query.limit + 1
        rows = await self._read_stretch(shape, values, window)
        if not rows:
            values = {**values, "window": window}
            rows = await self._connections.fetch(end_of_order(shape, self._dialect), values)
        return _page(query, rows)

    async def _find_filtered(self, query: TodoQuery, shape: Shape, values: Values) -> Page:
        """Look along the order first if that may do, since what is common is soon found.

        Phrases hardly are: to ask their index first took half of the time for a rare one.
        """
        if shape.word_searched and not query.counted:
            statement = page_of_few(shape, self._dialect)
            rows = await self._connections.fetch(statement, values)
            if rows[0]["tried"] < FEW:
                return _page(query, rows)
        if not query.counted:
            rows = await self._read_stretch(shape, values, _SHORT_STRETCH)
            if _COMMON <= len(rows) <= query.limit:
                expected = _SHORT_STRETCH * query.limit // len(rows)
                window = min(2 * expected, _LONGEST_STRETCH)
                rows = await self._read_stretch(shape, values, window)
            if len(rows) > query.limit:
                return _page(query, rows)
        statement = page_of_found(shape, self._dialect)
        rows = await self._connections.fetch(statement, values)
        return _page(query, rows)

    async def _read_stretch(self, shape: Shape, values: Values, window: int) -> Rows:
        statement = page_in_order(shape, self._dialect)
        return await self._connections.fetch(statement, {**values, "window": window})


def _page(query: TodoQuery, rows: Rows) -> Page:
    shown = rows[: query.limit] if rows[0]["id"] is not None else ()
    entries = [to_entry(*row[: len(ENTRY_COLUMNS)]) for row in shown]
    last = entries[-1] if len(rows) > query.limit else None
    return Page(
        entries=entries,
        revision=rows[0]["store_revision"],
        next=Position(query.sort.key(last), last.id) if last else None,
        total=rows[0]["total"] if query.counted else None,
    )
