"""How a problem is told (RFC 9457), and how it is raised."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, TypedDict, Unpack
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.api.problem_types import ALWAYS, INVALID_INPUT, ProblemType
from myapp.infrastructure.api.response_docs import ALLOW, RETRY_AFTER
from myapp.infrastructure.api.todo_schema import TodoEntrySchema

MEDIA_TYPE = "application/problem+json"

_NAME_SHOWN = 200
_ERRORS_SHOWN = 100


class InputError(BaseModel):
    """One thing wrong with the input, and the one place where it is."""

    detail: str = Field(examples=["must not be empty"])
    pointer: str | None = Field(
        default=None,
        description="Where in the body: a JSON pointer as a URI fragment (RFC 6901, 6).",
        examples=["#/content"],
    )
    parameter: str | None = Field(
        default=None, description="Which parameter of the path or the query."
    )
    header: str | None = Field(default=None, description="Which header field.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(
        description="The kind of problem: a stable URI reference that explains it.",
        examples=["/problems/invalid-input"],
    )
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status code.", examples=[422])
    detail: str = Field(description="What went wrong this time.")
    instance: str = Field(
        description="The path requested; / if the request was refused before it was read.",
        examples=["/todo"],
    )
    errors: list[InputError] | None = Field(
        default=None, description="For invalid input: all that is wrong with it."
    )
    operation: int | None = Field(
        default=None, description="In a batch: which operation failed, counted from 0."
    )
    after_change: TodoEntrySchema | None = Field(
        default=None,
        description="Where an undo is refused: the entry after the change that was to be"
        " undone; null if it was removed.",
    )
    current: TodoEntrySchema | None = Field(
        default=None,
        description="Where an undo is refused: the entry by now; null if it is removed.",
    )


class Members(TypedDict, total=False):
    """What the problems of some types have besides what all have (RFC 9457, 3.2)."""

    errors: Sequence[InputError]
    operation: int
    after_change: TodoEntry | None
    current: TodoEntry | None


class Rejection(HTTPException):
    """A request is answered with a problem, and why.

    If nothing else is told, a client may come again in a second where it is worth trying.
    """

    def __init__(
        self,
        problem_type: ProblemType,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: Unpack[Members],
    ) -> None:
        if problem_type.status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers = {"Retry-After": "1", **(headers or {})}
        super().__init__(problem_type.status, detail or problem_type.detail, headers)
        self.problem_type = problem_type
        self.members = members


def invalid_input(errors: Iterable[InputError]) -> Rejection:
    """Answer the rejection of input with what is wrong with it: the first hundred of all."""
    told = list(islice(errors, _ERRORS_SHOWN))
    return Rejection(INVALID_INPUT, "; ".join(map(_summary, told[:3])), errors=told)


def refuse(errors: Iterable[InputError]) -> None:
    """Raise the rejection of input if anything is wrong with it."""
    if told := list(islice(errors, _ERRORS_SHOWN)):
        raise invalid_input(told)


def problem_response(connection: HTTPConnection, rejection: Rejection) -> Response:
    """Answer the problem as a response to this request."""
    problem_type = rejection.problem_type
    members = problem_type.common_members(path_of(connection), rejection.detail)
    problem = Problem.model_validate({**members, **rejection.members})
    return Response(
        problem.model_dump_json(exclude_unset=True),
        problem_type.status,
        headers=rejection.headers,
        media_type=MEDIA_TYPE,
    )


def pointer(parts: Iterable[str | int]) -> str:
    """Answer a JSON pointer as a URI fragment (RFC 6901, section 6)."""
    steps = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "#" + "".join(f"/{quote(step[:_NAME_SHOWN], errors='replace')}" for step in steps)


def shown(name: str) -> str:
    """Answer a name that a client made up, short and safe to answer."""
    return name[:_NAME_SHOWN].encode("utf-8", "replace").decode("utf-8")


def path_of(connection: HTTPConnection) -> str:
    """Answer the path as the client sent it, percent-encoded and so safe to show."""
    raw: bytes = connection.scope.get("raw_path") or b"/"
    return raw.partition(b"?")[0].decode("ascii", "backslashreplace")


def answers(*problem_types: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Answer FastAPI's `responses` for an operation that may answer these problems."""
    responses: dict[int | str, dict[str, Any]] = {}
    for problem_type in sorted({*problem_types, *ALWAYS}, key=_by_status):
        status = int(problem_type.status)
        former = responses.get(status)
        response = responses.setdefault(
            status,
            {
                "description": problem_type.title,
                "headers": _HEADERS.get(status, {}),
                "content": {MEDIA_TYPE: {"schema": _SCHEMA, "examples": {}}},
            },
        )
        if former is not None:
            response["description"] += f"; or: {problem_type.title}"
        response["content"][MEDIA_TYPE]["examples"][problem_type.slug] = {
            "summary": problem_type.title,
            "description": problem_type.explanation,
            "value": problem_type.common_members("/todo", problem_type.detail)
            | problem_type.members,
        }
    return responses


def _summary(error: InputError) -> str:
    places = (error.pointer, error.parameter, error.header)
    return f"{next(place for place in places if place is not None)}: {error.detail}"


def _by_status(problem_type: ProblemType) -> tuple[int, str]:
    return problem_type.status, problem_type.slug


_HEADERS = {405: ALLOW, 503: RETRY_AFTER}
_SCHEMA = {"$ref": "#/components/schemas/Problem"}
