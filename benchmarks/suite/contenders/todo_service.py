"""This service, on each of its storages, as it is by default or with other settings."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from urllib.parse import urlencode

from benchmarks.suite.contenders.contender import Storing
from benchmarks.suite.contenders.storages import Storage
from benchmarks.suite.load import Sent
from benchmarks.suite.processes import Launch, run
from benchmarks.suite.questions import PAGE, Kind, Question
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Position, Sort
from myapp.infrastructure.api.todo_query_schema import ListParameters

_COMMAND = (sys.executable, "-m", "myapp")
_URL = "TODOAPP_STORAGE_URL"


class TodoService(Storing):
    """The service on a storage, with its default settings unless told otherwise."""

    def __init__(
        self,
        name: str,
        folder: Path,
        storage: Callable[[Path], Storage],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, folder)
        self._new_storage = storage
        self._storage = storage(folder)
        self._settings = settings or {}
        self.workers = int(self._settings.get("TODOAPP_WORKERS", 1))

    def prepare(self, entries: Sequence[TodoEntry]) -> None:
        self._storage.create()
        self._storage.fill(entries)

    def launch(self, port: int) -> Launch:
        settings = {_URL: self._storage.url, "TODOAPP_PORT": str(port), **self._settings}
        return Launch([*_COMMAND, "serve"], "/health/ready", settings)

    def request(self, question: Question) -> Sent:
        kind, entry, text = question
        match kind:
            case Kind.GET:
                return Sent("GET", f"/todo/{entry.id}")
            case Kind.FIRST:
                return _list(sort=text)
            case Kind.PAGE:
                return _list(sort=text, cursor=_cursor(entry, text))
            case Kind.RARE | Kind.COMMON:
                return _list(search=text)
            case Kind.FILTERED:
                return _list(tag=text, done="false")
            case Kind.CREATE:
                return Sent("POST", "/todo", json.dumps(written(entry)).encode())
            case Kind.PATCH:
                return Sent("PATCH", f"/todo/{entry.id}", json.dumps({"notes": text}).encode())

    def files(self) -> Iterator[Path]:
        yield from super().files()
        yield from self._storage.files()

    def stored(self) -> int:
        return self._storage.size()

    def import_rate(self, entries: Sequence[TodoEntry]) -> float:
        if self._settings:
            return 0  # they change nothing in that
        folder = self.folder / "import"
        folder.mkdir()
        storage = self._new_storage(folder)
        storage.create()
        lines = folder / "entries.jsonl"
        lines.write_text("".join(f"{json.dumps(written(entry))}\n" for entry in entries))
        environment = {_URL: storage.url}
        run([*_COMMAND, "storage", "migrate"], folder, environment)
        begin = perf_counter()
        run([*_COMMAND, "import", str(lines)], folder, environment)
        return len(entries) / (perf_counter() - begin)

    def helpers(self) -> Sequence[int]:
        return self._storage.processes()


def written(entry: TodoEntry) -> Mapping[str, object]:
    """Answer what clients write of an entry, as the members of an object of JSON."""
    return {
        "content": entry.content,
        "notes": entry.notes,
        "tags": entry.tags,
        "priority": entry.priority,
        "due": entry.due and entry.due.value.isoformat(),
        "done": entry.done,
    }


def _list(**parameters: str) -> Sent:
    return Sent("GET", "/todo?" + urlencode({**parameters, "limit": str(PAGE)}))


def _cursor(entry: TodoEntry, order: str) -> str:
    position = Position(Sort(order.removeprefix("-")).key(entry), entry.id)
    return ListParameters.model_validate({"sort": order}).cursor_at(position)
