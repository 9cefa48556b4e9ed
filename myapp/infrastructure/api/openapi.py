"""What FastAPI cannot say of the API by itself, put into its OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute

from myapp.infrastructure.api.change_schema import (
    EXAMPLE_CHANGE,
    EXAMPLE_PROSPECT,
    EXAMPLE_REMOVAL,
)
from myapp.infrastructure.api.problem_types import CROSS_SITE_REQUEST
from myapp.infrastructure.api.problems import Problem
from myapp.infrastructure.api.todo_schema import EXAMPLE_ENTRY

Document = dict[str, Any]  # OpenAPI 3.1: objects within objects

_REQUEST_ID = {
    "description": "The request's id, as in the log: the client's, if it sent a sane one.",
    "schema": {"type": "string"},
    "example": "0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e",
}


# Pydantic would sort their keys, and FastAPI drop what is null.
_EXAMPLES = {
    "TodoEntrySchema": [EXAMPLE_ENTRY],
    "ChangeSchema": [EXAMPLE_CHANGE, EXAMPLE_REMOVAL],
    "ProspectiveChangeSchema": [EXAMPLE_PROSPECT],
}


def operation_id(route: APIRoute) -> str:
    """Answer the name of an operation: that of its function."""
    return route.name


def complete(document: Document) -> None:
    """Add the problems, the header that every response has, and what FastAPI drops."""
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}", mode="serialization"
    )
    schemas.update(problem.pop("$defs"), Problem=problem)
    for name, examples in _EXAMPLES.items():
        schemas[name]["examples"] = examples
    for path in document["paths"].values():
        if "get" in path:  # which does nothing that a page of another site could bring about
            del path["get"]["responses"][f"{CROSS_SITE_REQUEST.status:d}"]
    for operation in _operations(document):
        # The first line of a docstring says what is done, the rest is for who wants more.
        summary, _, description = operation["description"].partition("\n")
        operation["summary"] = summary.removesuffix(".").replace("`", "")
        operation["description"] = description.strip() or summary
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _without_null(parameter["schema"])
        for response in operation["responses"].values():
            response["headers"] = {"X-Request-Id": _REQUEST_ID} | response.get("headers", {})


def _without_null(schema: Document) -> Document:
    """Answer the schema of a parameter that may be left out, but cannot be null."""
    match schema:
        case {"anyOf": [*others, {"type": "null"}]} if len(others) == 1:
            rest = {key: value for key, value in schema.items() if key != "anyOf"}
            return {**others[0], **rest}
        case {"anyOf": [*others, {"type": "null"}]}:
            return {**schema, "anyOf": others}
    return schema


def _operations(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        yield from path.values()
