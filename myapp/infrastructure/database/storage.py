"""Which storage a URL names."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.pickle_todo_entry_repository import (
    open_pickle_storage,
)

_PICKLE = "pickle:///"


def open_storage(url: str) -> AbstractAsyncContextManager[TodoEntryRepository]:
    """Answer the storage that a URL names, to be entered.

    Raises ValueError for a URL of another form; entering raises StorageOpeningError.
    """
    return open_pickle_storage(pickle_folder(url))


def check_storage_url(url: str) -> str:
    """Answer the URL if there is a storage for it; raises ValueError."""
    pickle_folder(url)
    return url


def pickle_folder(url: str) -> Path:
    """Answer the folder of a pickle storage; raises ValueError for any other URL.

    As in SQLAlchemy's URLs three slashes begin a relative path and four an absolute one.
    """
    folder = url.removeprefix(_PICKLE)
    if folder in ("", url):
        raise ValueError("must be pickle:///folder (four slashes: an absolute path)")
    return Path(folder)


def pickle_url(folder: Path) -> str:
    """Answer the URL of the pickle storage in a folder."""
    return f"{_PICKLE}{folder}"
