"""The database that a URL names, as a repository and as its operators see it."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.archive import Archive
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.sql.dialect import Dialect
from myapp.infrastructure.database.sql.opening import open_sql_storage
from myapp.infrastructure.database.sql.postgresql_dialect import Postgresql
from myapp.infrastructure.database.sql.sql_archive import SqlArchive
from myapp.infrastructure.database.sql.sqlite_dialect import Sqlite

_SQLITE = "sqlite:///"


def open_database(
    url: str, options: StorageOptions
) -> AbstractAsyncContextManager[TodoEntryRepository]:
    """Answer the database, to be entered, which raises StorageOpeningError."""
    return open_sql_storage(_dialect(url), options)


def open_database_archive(url: str, options: StorageOptions) -> Archive:
    """Answer the database, not touched yet."""
    return SqlArchive(_dialect(url), options)


def _dialect(url: str) -> Dialect:
    if url.startswith(_SQLITE):
        return Sqlite(Path(url.removeprefix(_SQLITE)))
    return Postgresql(url)
