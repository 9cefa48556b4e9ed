"""The naive way, as it is asked; what it is stands in `naive_service`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.suite.contenders import naive_service
from benchmarks.suite.contenders.contender import Storing
from benchmarks.suite.contenders.todo_service import written
from benchmarks.suite.load import Sent
from benchmarks.suite.processes import Launch
from benchmarks.suite.questions import PAGE, Kind, Question
from myapp.domain.todo import TodoEntry


class Naive(Storing):
    """A file for each entry, and all files read for each list."""

    most_entries = 100_000

    def prepare(self, entries: Sequence[TodoEntry]) -> None:
        self._todos.mkdir()
        for entry in entries:
            moments = {"id": entry.id, "created": entry.created_at}
            todo = naive_service.StoredTodo.model_validate({**written(entry), **moments})
            naive_service.store(self._todos, todo)

    def launch(self, port: int) -> Launch:
        app = f"{naive_service.__name__}:{naive_service.create_app.__name__}"
        command = [sys.executable, "-m", "uvicorn", "--factory", app, f"--port={port}"]
        return Launch(command, "/openapi.json")

    def request(self, question: Question) -> Sent:
        kind, entry, text = question
        match kind:
            case Kind.GET:
                return Sent("GET", f"/todo/{entry.id}")
            case Kind.FIRST | Kind.PAGE:
                return _list(sort=text)
            case Kind.RARE | Kind.COMMON:
                return _list(search=text)
            case Kind.FILTERED:
                return _list(tag=text, done="false")
            case Kind.CREATE:
                return Sent("POST", "/todo", json.dumps(written(entry)).encode())
            case Kind.PATCH:
                return Sent("PATCH", f"/todo/{entry.id}", json.dumps({"notes": text}).encode())

    @property
    def _todos(self) -> Path:
        return self.folder / naive_service.FOLDER


def _list(**parameters: str) -> Sent:
    return Sent("GET", "/todo?" + urlencode({**parameters, "limit": str(PAGE)}))
