"""The storages a service may run on, each as the URL of one that belongs to a folder."""

import asyncio
import atexit
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

from myapp.infrastructure.database.storage import open_archive
from tests.postgresql_server import shared_postgresql

StorageUrl = Callable[[Path], str]
"""Answers the URL of the storage that belongs to an existing folder: empty at first."""

_TABLES = ("todo_change", "todo_entry", "todo_entry_tag", "todo_receipt", "todo_tag")
_EMPTY = (
    f"TRUNCATE {', '.join(_TABLES)};"
    " UPDATE todo_store SET revision = 0, entries = 0, entries_open = 0, history_begin = 0"
)
_OBJECTS = "SELECT count(*) FROM pg_depend"  # where each leaves a trace

_numbers = count(1)
_databases: dict[Path, str] = {}


def _pickle_url(folder: Path) -> str:
    return f"pickle:///{folder}/todos"


def _sqlite_url(folder: Path) -> str:
    """Answer the URL of a file that is a copy at first: to migrate a new one took 40 ms."""
    file = folder / "todos.db"
    if not file.exists():
        copy(_migrated_file(), file)
    return _sqlite_url_of(file)


def _postgresql_url(folder: Path) -> str:
    """Answer the URL of a database that is the folder's as long as there is this folder."""
    if folder not in _databases:
        _databases[folder] = _empty_database()
    return shared_postgresql().url(_databases[folder])


STORAGE_URLS: dict[str, StorageUrl] = {
    "pickle": _pickle_url,
    "sqlite": _sqlite_url,
    "postgresql": _postgresql_url,
}


def _empty_database() -> str:
    """Answer the name of a database that has the newest schema and no entries.

    One whose folder is gone is used again, unless something else was made in it: emptying
    it took 18 ms, and making one 62 ms.
    """
    server = shared_postgresql()
    template, objects = _migrated_database()
    for folder in [folder for folder in _databases if not folder.exists()]:
        name = _databases.pop(folder)
        if server.execute(f"{_EMPTY}; {_OBJECTS}", database=name) == objects:
            return name
        server.drop_database(name)
    name = f"todos-{next(_numbers)}"
    server.create_database(name, template=template)
    return name


@cache
def _migrated_file() -> Path:
    """Answer a file of SQLite to be copied."""
    removed_at_exit = TemporaryDirectory(prefix="sqlite-")
    atexit.register(removed_at_exit.cleanup)
    file = Path(removed_at_exit.name) / "migrated.db"
    _migrate(_sqlite_url_of(file))
    return file


@cache
def _migrated_database() -> tuple[str, str]:
    """Answer the name of a database to be copied, and how many objects there are in it."""
    server = shared_postgresql()
    _migrate(server.create_database("migrated"))
    return "migrated", server.execute(_OBJECTS, database="migrated")


def _migrate(url: str) -> None:
    with ThreadPoolExecutor(1) as outside_of_any_event_loop:
        outside_of_any_event_loop.submit(asyncio.run, open_archive(url).migrate()).result()


def _sqlite_url_of(file: Path) -> str:
    return f"sqlite:///{file}"
