"""The storages a service may run on, each as the URL of one that belongs to a folder."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path

from myapp.infrastructure.database.storage import open_archive
from tests.postgresql_server import shared_postgresql

StorageUrl = Callable[[Path], str]
"""Answers the URL of the storage that belongs to an existing folder: empty at first.

A database is dropped some time after its folder is gone.
"""

_numbers = count(1)
_databases: dict[Path, str] = {}


def _pickle_url(folder: Path) -> str:
    return f"pickle:///{folder}/todos"


def _sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/todos.db"


def _postgresql_url(folder: Path) -> str:
    """Answer the URL of the folder's database, made when first asked for."""
    server = shared_postgresql()
    for gone in [known for known in _databases if not known.exists()]:
        server.drop_database(_databases.pop(gone))
    if folder not in _databases:
        _databases[folder] = f"todos-{next(_numbers)}"
        server.create_database(_databases[folder], template=_migrated_database())
    return server.url(_databases[folder])


STORAGE_URLS: dict[str, StorageUrl] = {
    "pickle": _pickle_url,
    "sqlite": _sqlite_url,
    "postgresql": _postgresql_url,
}


@cache
def _migrated_database() -> str:
    """Answer the name of a database that has the newest schema, to be copied."""
    url = shared_postgresql().create_database("migrated")
    with ThreadPoolExecutor(1) as outside_of_any_event_loop:
        outside_of_any_event_loop.submit(asyncio.run, open_archive(url).migrate()).result()
    return "migrated"
