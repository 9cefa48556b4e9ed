"""The storages that keep the contract; a new one joins by a line in STORAGE_URLS."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.storage import open_storage
from myapp.infrastructure.metrics.metrics import Metrics
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.storages import STORAGE_URLS


@dataclass(frozen=True, slots=True)
class Storage:
    """How to open a storage: empty in an empty folder, as it was left in any other.

    One that does not persist is empty each time.
    """

    open: Callable[[Path], AbstractAsyncContextManager[TodoEntryRepository]]
    persists: bool = True


@asynccontextmanager
async def _open_in_memory(_folder: Path) -> AsyncIterator[TodoEntryRepository]:
    yield Metrics("").measured(InMemoryTodoEntryRepository())


def _persistent(name: str) -> Storage:
    return Storage(lambda folder: open_storage(STORAGE_URLS[name](folder)))


STORAGES = {
    "in-memory": Storage(_open_in_memory, persists=False),
    **{name: _persistent(name) for name in STORAGE_URLS},
}

PERSISTENT = {name: storage for name, storage in STORAGES.items() if storage.persists}
