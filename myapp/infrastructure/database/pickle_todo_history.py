"""The history of a pickle storage, as it is asked."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import TodoEntryNotFound
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_history import ChangePage, TodoHistory, check_kept
from myapp.infrastructure.database.contents import Contents


class PickleTodoHistory(TodoHistory):
    """Answers from memory, which holds what is durable; a journal keeps it."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._log = contents.log

    async def revision(self) -> int:
        return self._contents.index.revision

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        self._check_kept("since", since)
        return self._page(self._log.after(since, limit=limit + 1), limit)

    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        since = self._log.begin if since is None else since
        self._check_kept("since", since)
        last = self._contents.state(entry_id)
        if last is None:
            raise TodoEntryNotFound(entry_id)
        return self._page(self._log.changes_of(last, since), limit)

    async def change(self, revision: int) -> Change:
        return self._log.change(revision)

    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        self._check_kept("at", revision)
        state = self._contents.state(entry_id)
        if state is not None and (later := self._log.changes_of(state, revision)):
            state = later[0].before
        if state is None or state.removed:
            raise TodoEntryNotFound(entry_id)
        return state

    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        self._log.forget(keep=keep, receipts_before=receipts_before)

    def _check_kept(self, field: str, revision: int) -> None:
        check_kept(field, revision, begin=self._log.begin, last=self._contents.index.revision)

    def _page(self, changes: Sequence[Change], limit: int) -> ChangePage:
        return ChangePage.cut(changes, limit=limit, last=self._contents.index.revision)
