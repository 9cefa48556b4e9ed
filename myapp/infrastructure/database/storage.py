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
from myapp.infrastructure.database.sql.dialects import Dialect, Postgresql, Sqlite
from myapp.infrastructure.database.sql.opening import open_sql_storage
from myapp.infrastructure.database.sql.sql_archive import SqlArchive

_PICKLE = "pickle:///"
_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql://"


def open_storage(
    url: str, options: StorageOptions = StorageOptions()
) -> AbstractAsyncContextManager[TodoEntryRepository]:
    """Answer the storage that a URL names, to be entered.

    Raises ValueError for a URL of another form; entering raises StorageOpeningError.
    """
    place = _place(url)
    if isinstance(place, Path):
        return open_pickle_storage(place)
    return open_sql_storage(place, options)


def open_archive(url: str, options: StorageOptions = StorageOptions()) -> Archive:
    """Answer the storage that a URL names as its operators see it, not touched yet.

    Raises ValueError for a URL of another form.
    """
    place = _place(url)
    return PickleArchive(place) if isinstance(place, Path) else SqlArchive(place, options)


def check_storage_url(url: str) -> str:
    """Answer the URL if there is a storage for it; raises ValueError."""
    _place(url)
    return url


def check_shareable(url: str) -> None:
    """Raise StorageNotShareable if only one process at a time can use the storage."""
    if isinstance(_place(url), Path):
        raise StorageNotShareable(url)


def pickle_folder(url: str) -> Path:
    """Answer the folder of a pickle storage; raises ValueError for any other URL."""
    place = _place(url)
    if not isinstance(place, Path):
        raise ValueError("this is for pickle storages only: pickle:///folder")
    return place


def pickle_url(folder: Path) -> str:
    """Answer the URL of the pickle storage in a folder."""
    return f"{_PICKLE}{folder}"


def _place(url: str) -> Path | Dialect:
    """Answer the folder of a pickle storage, or the database, that a URL names.

    As in SQLAlchemy's URLs three slashes begin a relative path and four an absolute one.
    """
    if path := _after(_PICKLE, url):
        return Path(path)
    if (path := _after(_SQLITE, url)) and path != ":memory:":
        return Sqlite(Path(path))
    if _after(_POSTGRESQL, url) and _names_a_database(url):
        return Postgresql(url)
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
