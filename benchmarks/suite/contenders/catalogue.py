"""All contenders, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.suite.contenders.constants import Constant
from benchmarks.suite.contenders.contender import Contender
from benchmarks.suite.contenders.json_server import JsonServer
from benchmarks.suite.contenders.naive import Naive
from benchmarks.suite.contenders.pocketbase import PocketBase
from benchmarks.suite.contenders.storages import (
    PickleStorage,
    PostgresqlStorage,
    SqliteStorage,
    Storage,
)
from benchmarks.suite.contenders.todo_service import TodoService
from benchmarks.suite.questions import Kind
from tests.postgresql_server import PostgresqlServer

CEILING = "ceiling"
POCKETBASES = ("pocketbase", "pocketbase-skiptotal")

_SILENT = {"TODOAPP_ACCESS_LOG": "false"}
_TWO_WORKERS = {"TODOAPP_WORKERS": "2"}


@dataclass(frozen=True)
class Surroundings:
    """What contenders are made in: a folder of their own, and what others have found."""

    folder: Path
    lengths: Mapping[Kind, int]
    postgresql: Callable[[], PostgresqlServer]

    def on_postgresql(self, folder: Path) -> Storage:
        """Answer a database that is named after a folder."""
        return PostgresqlStorage(self.postgresql(), "-".join(folder.parts[-3:]))


class Described(NamedTuple):
    """A contender's name for readers, and how it is made from its other name."""

    title: str
    make: Callable[[str, Surroundings], Contender]


def _constant(name: str, given: Surroundings) -> Contender:
    return Constant(name, given.folder, given.lengths)


def _on_pickle(**settings: str) -> Callable[[str, Surroundings], Contender]:
    return lambda name, given: TodoService(name, given.folder, PickleStorage, settings)


def _on_sqlite(**settings: str) -> Callable[[str, Surroundings], Contender]:
    return lambda name, given: TodoService(name, given.folder, SqliteStorage, settings)


def _on_postgresql(**settings: str) -> Callable[[str, Surroundings], Contender]:
    return lambda name, given: TodoService(name, given.folder, given.on_postgresql, settings)


CONTENDERS: Mapping[str, Described] = {
    CEILING: Described("bare ASGI", _constant),
    "fastapi": Described("FastAPI, a constant", _constant),
    "pickle": Described("pickle", _on_pickle()),
    "pickle-silent": Described("pickle, no access log", _on_pickle(**_SILENT)),
    "sqlite": Described("SQLite", _on_sqlite()),
    "sqlite-silent": Described("SQLite, no access log", _on_sqlite(**_SILENT)),
    "postgresql": Described("PostgreSQL", _on_postgresql()),
    "postgresql-silent": Described("PostgreSQL, no access log", _on_postgresql(**_SILENT)),
    "postgresql-workers": Described("PostgreSQL, 2 workers", _on_postgresql(**_TWO_WORKERS)),
    "pocketbase": Described("PocketBase", lambda name, given: PocketBase(name, given.folder)),
    "pocketbase-skiptotal": Described(
        "PocketBase, skipTotal",
        lambda name, given: PocketBase(name, given.folder, skip_total=True),
    ),
    "json-server": Described("json-server", lambda name, given: JsonServer(name, given.folder)),
    "naive": Described("the naive way", lambda name, given: Naive(name, given.folder)),
}
