"""The naive way: a file for each entry, and all files read for each list.

Written to be compared with. It does not wait for the disk, and a crash may leave half a file,
after which no list can be read any more.

Bandit warns of pickles from input; these are this program's own.
"""

import pickle  # nosec B403
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

FOLDER = Path("todos")


class Todo(BaseModel):
    """What clients write."""

    content: str
    notes: str = ""
    tags: list[str] = []
    priority: str = "none"
    due: str | None = None
    done: bool = False


class StoredTodo(Todo):
    """What is stored."""

    id: UUID
    created: datetime


class Notes(BaseModel):
    """What a change changes."""

    notes: str


def store(folder: Path, todo: StoredTodo) -> None:
    """Write the file of a todo."""
    (folder / f"{todo.id}.pickle").write_bytes(pickle.dumps(todo))


def create_app(folder: Path = FOLDER) -> FastAPI:
    """Answer the application whose todos are in a folder."""
    app = FastAPI()

    def read(file: Path) -> StoredTodo:
        # Only this program writes there; that one has to trust it is part of the naive way.
        todo: StoredTodo = pickle.loads(file.read_bytes())  # nosec B301
        return todo

    @app.get("/todo/{id}")
    async def get(id: UUID) -> StoredTodo:
        file = folder / f"{id}.pickle"
        if not file.exists():
            raise HTTPException(404)
        return read(file)

    @app.get("/todo")
    async def find(
        search: str = "",
        tag: str | None = None,
        done: bool | None = None,
        sort: str = "created",
        skip: int = 0,
        limit: int = 50,
    ) -> list[StoredTodo]:
        todos = [read(file) for file in folder.glob("*.pickle")]
        found = [
            todo
            for todo in todos
            if search.casefold() in f"{todo.content}\n{todo.notes}".casefold()
            and (tag is None or tag in todo.tags)
            and (done is None or done == todo.done)
        ]
        field = sort.removeprefix("-")
        found.sort(key=lambda todo: getattr(todo, field), reverse=sort.startswith("-"))
        return found[skip : skip + limit]

    @app.post("/todo", status_code=201)
    async def create(todo: Todo) -> UUID:
        new = StoredTodo(**todo.model_dump(), id=uuid4(), created=datetime.now(UTC))
        store(folder, new)
        return new.id

    @app.patch("/todo/{id}")
    async def change(id: UUID, change: Notes) -> StoredTodo:
        todo = (await get(id)).model_copy(update=change.model_dump())
        store(folder, todo)
        return todo

    return app
