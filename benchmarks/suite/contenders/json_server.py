"""json-server, which makes an API of a file of JSON: all in memory, written as a whole."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from shutil import which
from urllib.parse import urlencode

from benchmarks.suite.contenders.contender import Storing, Unavailable
from benchmarks.suite.contenders.installing import installed_from_npm
from benchmarks.suite.contenders.todo_service import written
from benchmarks.suite.load import Sent
from benchmarks.suite.processes import Launch
from benchmarks.suite.questions import PAGE, Kind, Question
from myapp.domain.todo import TodoEntry

VERSION = "0.17.4"

_AS_OF = "2026-11-01"
_PROGRAM = Path("node_modules", "json-server", "lib", "cli", "bin.js")


class JsonServer(Storing):
    """json-server as it is by default."""

    most_entries = 100_000

    def prepare(self, entries: Sequence[TodoEntry]) -> None:
        installed_from_npm(f"json-server@{VERSION}", before=_AS_OF)
        with open(self._file, "w", encoding="utf-8") as file:
            json.dump({"todos": [_stored(entry) for entry in entries]}, file)

    def launch(self, port: int) -> Launch:
        if (node := which("node")) is None:
            raise Unavailable(
                "Node is not installed (on Debian and Ubuntu: apt-get install npm)"
            )
        folder = installed_from_npm(f"json-server@{VERSION}", before=_AS_OF)
        arguments = ["--host=127.0.0.1", f"--port={port}", str(self._file)]
        return Launch([node, str(folder / _PROGRAM), *arguments], "/todos?_limit=1")

    def request(self, question: Question) -> Sent:
        kind, entry, text = question
        match kind:
            case Kind.GET:
                return Sent("GET", f"/todos/{entry.id}")
            case Kind.FIRST:
                return _list(_in_order(text))
            case Kind.PAGE:
                return _list(_beyond(entry, text) | _in_order(text))
            case Kind.RARE | Kind.COMMON:
                return _list({"q": text})
            case Kind.FILTERED:
                return _list({"tags_like": f"(^|,){text}(,|$)", "done": "false"})
            case Kind.CREATE:
                return Sent("POST", "/todos", json.dumps(written(entry)).encode())
            case Kind.PATCH:
                notes = json.dumps({"notes": text}).encode()
                return Sent("PATCH", f"/todos/{entry.id}", notes)

    def stored(self) -> int:
        return self._file.stat().st_size

    @property
    def _file(self) -> Path:
        return self.folder / "db.json"


def _stored(entry: TodoEntry) -> Mapping[str, object]:
    moments = {"created": _moment(entry.created_at), "updated": _moment(entry.updated_at)}
    return {"id": str(entry.id), **written(entry), **moments}


def _in_order(order: str) -> dict[str, str]:
    descending = order.startswith("-")
    return {"_sort": order.removeprefix("-"), "_order": "desc" if descending else "asc"}


def _beyond(entry: TodoEntry, order: str) -> dict[str, str]:
    field = order.removeprefix("-")
    key = _moment(entry.created_at) if field == "created" else entry.content
    return {f"{field}_{'lte' if order.startswith('-') else 'gte'}": key}


def _list(parameters: Mapping[str, str]) -> Sent:
    return Sent("GET", "/todos?" + urlencode({**parameters, "_limit": PAGE}))


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
