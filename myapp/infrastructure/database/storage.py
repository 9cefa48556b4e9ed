"""Which storage a URL names."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.errors import UnsupportedStorage
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    open_pickle_storage,
)

_PICKLE = "pickle:///"


def open_storage(url: str) -> AbstractAsyncContextManager[TodoEntryRepository]:
    """Answer the storage a URL names, to be entered: `pickle:///folder`.

    As in SQLAlchemy's URLs three slashes begin a relative path and four an absolute one.
    Entering raises StorageOpeningError or OSError if it cannot be opened.
    """
    return open_pickle_storage(pickle_folder(url))


def pickle_folder(url: str) -> Path:
    """Answer the folder of a pickle storage's URL; raises UnsupportedStorage for others."""
    folder = url.removeprefix(_PICKLE)
    if not url.startswith(_PICKLE) or not folder:
        raise UnsupportedStorage("a storage URL has the form pickle:///folder")
    return Path(folder)
