"""The history of an SQL storage: what is kept of the states that entries have had."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import ChangeNotFound, HistoryForgotten, TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_history import ChangePage, TodoHistory, check_kept
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.sql.connection import Row, Rows, Step, Steps
from myapp.infrastructure.database.sql.connections import FAILURES, Connections
from myapp.infrastructure.database.sql.history_queries import (
    CHANGE,
    CHANGES,
    CHANGES_OF,
    ENTRY_AT,
    REVISION,
)
from myapp.infrastructure.database.sql.history_rows import (
    FORGET,
    FORGET_RECEIPTS,
    OLD_RECEIPTS,
)
from myapp.infrastructure.database.sql.rows import STATE_NAMES, to_entry
from myapp.infrastructure.database.sql.statements import Values
from myapp.infrastructure.database.sql.storing import LOCK

_FORGOTTEN_AT_ONCE = 2_000  # changes or receipts, so that nobody waits for the lock for long
_LAST_NUMBER = 2**63 - 1
_STATE = len(STATE_NAMES)


class SqlTodoHistory(TodoHistory):
    """Each question is one statement; forgetting takes several transactions."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def revision(self) -> int:
        rows = await self._connections.fetch(REVISION, {})
        return int(rows[0]["revision"])

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        rows = await self._connections.fetch(
            CHANGES, {"since": _bounded(since), "limit": limit + 1}
        )
        _check_kept("since", since, rows)
        return _page(rows, limit)

    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        bound = None if since is None else _bounded(since)
        values = {"id": entry_id, "since": bound, "limit": limit + 1}
        rows = await self._connections.fetch(CHANGES_OF, values)
        if since is not None:
            _check_kept("since", since, rows)
        if not rows[0]["known"]:
            raise TodoEntryNotFound(entry_id)
        return _page(rows, limit)

    async def change(self, revision: int) -> Change:
        rows = await self._connections.fetch(CHANGE, {"at": _bounded(revision)})
        begin: int = rows[0]["begin"]
        if 0 < revision <= begin:
            raise HistoryForgotten(revision, begin)
        changes = _to_changes(rows)
        if not changes:
            raise ChangeNotFound(revision)
        return changes[0]

    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        rows = await self._connections.fetch(
            ENTRY_AT, {"id": entry_id, "at": _bounded(revision)}
        )
        _check_kept("at", revision, rows)
        state = _to_state(rows[0][:_STATE])
        if state is None or state.removed:
            raise TodoEntryNotFound(entry_id)
        return state

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        before = {"before": to_microseconds(receipts_before), "limit": _FORGOTTEN_AT_ONCE}
        try:
            while await self._connections.transact(_forget_some(keep)):
                pass
            while await self._connections.transact(_forget_receipts(before)):
                pass
        except FAILURES as error:
            self._connections.log(error)
            raise self._connections.refusal(error) from error


def _forget_some(keep: int) -> Steps[bool]:
    """Drop some of the oldest changes, and answer whether there were any to drop."""
    ((revision, former),) = yield Step(LOCK)
    begin = min(revision - keep, former + _FORGOTTEN_AT_ONCE)
    if begin <= former:
        return False
    for statement in FORGET:
        yield Step(statement, [{"former": former, "begin": begin}])
    return True


def _forget_receipts(values: Values) -> Steps[bool]:
    """Drop some of the oldest receipts, and answer whether there were any to drop."""
    yield Step(LOCK)
    old = yield Step(OLD_RECEIPTS, [values])
    if old:
        yield Step(FORGET_RECEIPTS, [values])
    return bool(old)


def _bounded(revision: int) -> int:
    """Answer the revision, or one as unheard of that the databases can take."""
    return min(revision, _LAST_NUMBER)


def _check_kept(field: str, revision: int, rows: Rows) -> None:
    check_kept(field, revision, begin=rows[0]["begin"], last=rows[0]["last"])


def _page(rows: Rows, limit: int) -> ChangePage:
    return ChangePage.cut(_to_changes(rows), limit=limit, last=rows[0]["last"])


def _to_changes(rows: Rows) -> list[Change]:
    changes = (_to_change(row) for row in rows)
    return [change for change in changes if change is not None]


def _to_change(row: Row) -> Change | None:
    after = _to_state(row[:_STATE])
    return None if after is None else Change(_to_state(row[_STATE : 2 * _STATE]), after)


def _to_state(columns: Sequence[Any]) -> TodoEntry | None:
    return None if columns[0] is None else to_entry(*columns)
