"""The public shape of changes: what happened to an entry, and what it is after."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic.config import JsonDict

from myapp.domain.change import Change, ChangeKind, present
from myapp.infrastructure.api.todo_schema import EXAMPLE_ENTRY, EXAMPLE_ID, TodoEntrySchema

EXAMPLE_CHANGE: JsonDict = {
    "revision": 17,
    "kind": "completed",
    "at": "2026-11-21T18:30:00Z",
    "id": EXAMPLE_ID,
    "entry": EXAMPLE_ENTRY,
}
EXAMPLE_REMOVAL: JsonDict = {
    "revision": 18,
    "kind": "removed",
    "at": "2026-11-21T18:45:00Z",
    "id": EXAMPLE_ID,
    "entry": None,
}
EXAMPLE_PROSPECT: JsonDict = {
    "revision": None,
    "kind": "added",
    "at": "2026-11-21T18:30:00Z",
    "id": EXAMPLE_ID,
    "entry": EXAMPLE_ENTRY | {"revision": 0},
}


class ProspectiveChangeSchema(BaseModel):
    """A change as it is answered, whether it was made or would be."""

    model_config = ConfigDict(from_attributes=True, title="ProspectiveChange")

    revision: int | None = Field(description="Null if it was not made.")
    kind: ChangeKind = Field(
        description="What it did, by its most telling effect: completing and reopening"
        " outrank what else was written with them."
    )
    at: datetime = Field(description="When it was made.")
    id: UUID = Field(description="The entry's id.", validation_alias="entry_id")
    entry: Annotated[TodoEntrySchema | None, BeforeValidator(present)] = Field(
        description="The entry after it; null once it is removed.", validation_alias="after"
    )

    @classmethod
    def of(cls, change: Change) -> Self:
        """Answer a change that was not made."""
        return cls.model_validate(change).model_copy(update={"revision": None})


class ChangeSchema(ProspectiveChangeSchema):
    """A change that was made."""

    model_config = ConfigDict(title="Change")

    revision: int = Field(description="The number it was stored under, the entry's ETag too.")


_ADAPTER = TypeAdapter(ChangeSchema)


def change_json(change: Change) -> bytes:
    """Answer the change as JSON, on one line."""
    return _ADAPTER.dump_json(_ADAPTER.validate_python(change))
