"""Which storage a URL names."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.archive import Archive
from myapp.infrastructure.database.errors import StorageNotShareable
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.pickle_archive import PickleArchive
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage

_PICKLE = "pickle:///"
_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql://"

# What databases need is imported for them alone: it takes a third of the time of a start.


def open_storage(
    url: str, options: StorageOptions = StorageOptions()
) -> AbstractAsyncContextManager[TodoEntryRepository]:
    """Answer the storage that a URL names, to be entered.

    Raises ValueError for a URL of another form; entering raises StorageOpeningError.
    """
    if folder := _folder(url):
        return open_pickle_storage(folder)
    from myapp.infrastructure.database.sql.databases import open_database

    return open_database(url, options)


def open_archive(url: str, options: StorageOptions = StorageOptions()) -> Archive:
    """Answer the storage that a URL names as its operators see it, not touched yet.

    Raises ValueError for a URL of another form.
    """
    if folder := _folder(url):
        return PickleArchive(folder)
    from myapp.infrastructure.database.sql.databases import open_database_archive

    return open_database_archive(url, options)


def check_storage_url(url: str) -> str:
    """Answer the URL if there is a storage for it; raises ValueError."""
    _folder(url)
    return url


def check_shareable(url: str) -> None:
    """Raise StorageNotShareable if only one process at a time can use the storage."""
    if _folder(url):
        raise StorageNotShareable(url)


def pickle_folder(url: str) -> Path:
    """Answer the folder of a pickle storage; raises ValueError for any other URL."""
    if folder := _folder(url):
        return folder
    raise ValueError("this is for pickle storages only: pickle:///folder")


def pickle_url(folder: Path) -> str:
    """Answer the URL of the pickle storage in a folder."""
    return f"{_PICKLE}{folder}"


def _folder(url: str) -> Path | None:
    """Answer the folder of a pickle storage, or None for a database; raises ValueError.

    As in SQLAlchemy's URLs three slashes begin a relative path and four an absolute one.
    """
    if path := _after(_PICKLE, url):
        return Path(path)
    if (path := _after(_SQLITE, url)) and path != ":memory:":
        return None
    if _after(_POSTGRESQL, url) and _names_a_database(url):
        return None
    raise ValueError(
        "must be pickle:///folder, sqlite:///file.db (four slashes: an absolute path) or"
        " postgresql://user:password@host:5432/database"
    )


def _after(beginning: str, url: str) -> str:
    return url.removeprefix(beginning) if url.startswith(beginning) else ""


def _names_a_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return "@" not in parts.path and parts.path.strip("/") != "" and parts.port != 0
    except ValueError:
        return False
