"""Entries as JSON, as TodoEntrySchema has them, but read from the entities themselves.

The schema would first copy each into a model, and takes 5.2 instead of 2.6 microseconds.
"""

from collections.abc import Sequence

from pydantic_core import CoreSchema, SchemaSerializer
from pydantic_core.core_schema import (
    any_schema,
    dataclass_args_schema,
    dataclass_field,
    dataclass_schema,
    list_schema,
    plain_serializer_function_ser_schema,
    str_schema,
)

from myapp.domain.todo import Due, TodoEntry
from myapp.infrastructure.api.todo_schema import TodoEntrySchema


def entry_json(entry: TodoEntry) -> bytes:
    """Answer an entry."""
    return _ENTRY.to_json(entry)


def entries_json(entries: Sequence[TodoEntry]) -> bytes:
    """Answer an array of entries."""
    return _ENTRIES.to_json(entries)


def _due_value(due: Due | None) -> object:
    return due and due.value


def _entity_schema() -> CoreSchema:
    model = TodoEntrySchema.__pydantic_core_schema__
    due = any_schema(serialization=plain_serializer_function_ser_schema(_due_value))
    schemas = {name: field["schema"] for name, field in model["schema"]["fields"].items()}
    schemas |= {"due": due, "priority": str_schema()}  # not by `value`, which is slow
    fields = [dataclass_field(name, schema) for name, schema in schemas.items()]
    arguments = dataclass_args_schema(TodoEntry.__name__, fields)
    return dataclass_schema(TodoEntry, arguments, list(schemas), slots=True)


_ENTRY = SchemaSerializer(_entity_schema())
_ENTRIES = SchemaSerializer(list_schema(_entity_schema()))
