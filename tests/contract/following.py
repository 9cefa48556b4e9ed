"""How a client follows the changes, and what it knows once it has."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_history import ChangePage, TodoHistory


async def follow(history: TodoHistory, since: int, *, limit: int = 100) -> list[Change]:
    """Answer all changes after a revision, read page by page."""
    followed: list[Change] = []
    while (page := await history.changes(since, limit=limit)).changes:
        check_page(page, since, limit)
        followed += page.changes
        since = page.next
    assert since <= page.next <= await history.revision()
    return followed


async def follow_entry(
    history: TodoHistory, entry_id: UUID, since: int | None = None, *, limit: int = 100
) -> list[Change]:
    """Answer all changes of an entry after a revision, read page by page."""
    followed: list[Change] = []
    while (page := await history.changes_of(entry_id, since=since, limit=limit)).changes:
        check_page(page, since or 0, limit)
        followed += page.changes
        since = page.next
    return followed


def check_page(page: ChangePage, since: int, limit: int) -> None:
    """Fail unless a page's changes follow each other, and the next page follows them."""
    revisions = [since, *(change.revision for change in page.changes)]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] <= page.next
    assert len(page.changes) <= limit


def replayed(
    known: Mapping[UUID, TodoEntry], changes: Iterable[Change]
) -> dict[UUID, TodoEntry]:
    """Answer the list as a client knows it that knew another, and heard of the changes."""
    entries = dict(known)
    for change in changes:
        if change.after.removed:
            entries.pop(change.entry_id, None)
        else:
            entries[change.entry_id] = change.after
    return entries
