"""Saving, for tests that care for the entries only."""

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository


async def save_all(repository: TodoEntryRepository, *entries: TodoEntry) -> list[TodoEntry]:
    """Store entries together, and answer them under their new revisions."""
    return [change.after for change in await repository.save(*entries)]
