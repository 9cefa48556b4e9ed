"""The public shape of a batch: operations, each with its own schema, told apart by `op`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from myapp.application import edits
from myapp.application.edits import Operation
from myapp.infrastructure.api.parameters import Flag
from myapp.infrastructure.api.todo_schema import (
    EXAMPLE_ID,
    EntryId,
    Tag,
    TodoEntryDraft,
    TodoEntryPatch,
    TodoEntryReplacement,
)

_OPERATIONS_MOST = 1_000


class BatchParameters(BaseModel):
    """How a batch is carried out."""

    model_config = ConfigDict(extra="forbid")

    dry_run: Flag = Field(
        default=False, description="Answer what would change, and change nothing."
    )


class _Named(BaseModel):
    """Tells which operation it is; the operation's own schema checks the rest."""

    op: Literal["create", "put", "patch", "remove", "tag", "untag"]


class _Operation(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class CreateOperation(_Operation):
    """Add an entry."""

    op: Literal["create"]
    id: EntryId | None = Field(
        default=None,
        description="An id of your choice, which later operations can use; left out, the"
        " service makes one.",
    )
    entry: TodoEntryDraft

    def operation(self) -> Operation:
        """Answer what is to be done."""
        draft = self.entry
        edit = edits.create(draft.content, done=draft.done, **draft.fields())
        return Operation(self.id, edit)


class PutOperation(_Operation):
    """Create the entry under this id, or replace what you may write of it."""

    op: Literal["put"]
    id: EntryId
    entry: TodoEntryReplacement

    def operation(self) -> Operation:
        """Answer what is to be done."""
        replacement = self.entry
        edit = edits.put(replacement.content, done=replacement.done, **replacement.fields())
        return Operation(self.id, edit)


class PatchOperation(_Operation):
    """Change the fields given, by JSON merge patch (RFC 7396)."""

    op: Literal["patch"]
    id: EntryId
    entry: TodoEntryPatch

    def operation(self) -> Operation:
        """Answer what is to be done."""
        patch = self.entry
        edit = edits.change(
            content=patch.changed_content(), done=patch.changed_done(), **patch.fields()
        )
        return Operation(self.id, edit)


class RemoveOperation(_Operation):
    """Remove the entry."""

    op: Literal["remove"]
    id: EntryId

    def operation(self) -> Operation:
        """Answer what is to be done."""
        return Operation(self.id, edits.remove())


class TagOperation(_Operation):
    """Put the tag on the entry."""

    op: Literal["tag"]
    id: EntryId
    tag: Tag

    def operation(self) -> Operation:
        """Answer what is to be done."""
        return Operation(self.id, edits.add_tag(self.tag))


class UntagOperation(_Operation):
    """Take the tag off the entry."""

    op: Literal["untag"]
    id: EntryId
    tag: Tag

    def operation(self) -> Operation:
        """Answer what is to be done."""
        return Operation(self.id, edits.remove_tag(self.tag))


AnyOperation = (
    CreateOperation
    | PutOperation
    | PatchOperation
    | RemoveOperation
    | TagOperation
    | UntagOperation
)

_SCHEMAS: Mapping[str, type[AnyOperation]] = {
    "create": CreateOperation,
    "put": PutOperation,
    "patch": PatchOperation,
    "remove": RemoveOperation,
    "tag": TagOperation,
    "untag": UntagOperation,
}


def _by_op(value: object, _validate: ValidatorFunctionWrapHandler) -> AnyOperation:
    """Let the operation's own schema check it.

    A union would put the operation's name into the places of errors, and no body has that.
    """
    return _SCHEMAS[_Named.model_validate(value).op].model_validate(value)


class Batch(BaseModel):
    """What is to be done, in this order: all of it or nothing."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "operations": [
                        {"op": "create", "id": EXAMPLE_ID, "entry": {"content": "buy milk"}},
                        {"op": "tag", "id": EXAMPLE_ID, "tag": "home"},
                        {"op": "patch", "id": EXAMPLE_ID, "entry": {"priority": "high"}},
                        {"op": "create", "entry": {"content": "bake a cake"}},
                    ]
                }
            ]
        },
    )

    operations: Annotated[
        list[Annotated[AnyOperation, Field(discriminator="op"), WrapValidator(_by_op)]],
        Field(min_length=1, max_length=_OPERATIONS_MOST),
    ]
