"""How errors become problems: the one place where they are translated."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from myapp.application.edits import OperationFailed
from myapp.domain.change import ChangedSince, present
from myapp.domain.errors import (
    ChangeNotFound,
    HistoryForgotten,
    InvalidValue,
    KeyReused,
    StaleTodoEntry,
    StorageFull,
    StorageUnavailable,
    TodoEntryExists,
    TodoEntryNotFound,
    TodoError,
    TooManyTags,
)
from myapp.infrastructure.api.broken_rules import broken_rule
from myapp.infrastructure.api.problem_types import (
    CHANGE_NOT_FOUND,
    ENTRY_CHANGED_SINCE,
    HISTORY_FORGOTTEN,
    ID_TAKEN,
    IDEMPOTENCY_KEY_REUSED,
    INVALID_INPUT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TODO_ENTRY_CHANGED,
    TODO_ENTRY_EXISTS,
    TODO_ENTRY_NOT_FOUND,
    TOO_MANY_TAGS,
    ProblemType,
)
from myapp.infrastructure.api.problems import (
    InputError,
    Rejection,
    invalid_input,
    path_of,
    pointer,
    problem_response,
    shown,
)

_TYPES: Mapping[type[TodoError], ProblemType] = {
    TodoEntryNotFound: TODO_ENTRY_NOT_FOUND,
    TodoEntryExists: TODO_ENTRY_EXISTS,
    StaleTodoEntry: TODO_ENTRY_CHANGED,
    TooManyTags: TOO_MANY_TAGS,
    ChangeNotFound: CHANGE_NOT_FOUND,
    HistoryForgotten: HISTORY_FORGOTTEN,
    KeyReused: IDEMPOTENCY_KEY_REUSED,
    StorageFull: STORAGE_FULL,
}

_PARAMETERS = ("at", "since")  # of what the domain checks; all else is in a body
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


def install_problem_handlers(app: FastAPI) -> None:
    """Let the application answer every error it raises as a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        return problem_response(request, rejection_of(request, error))

    for error_type in (TodoError, RequestValidationError, HTTPException):
        app.add_exception_handler(error_type, handle)


def rejection_of(request: Request, error: Exception) -> Rejection:
    """Answer what a client is told of an error; raises it if it should not have happened."""
    match error:
        case Rejection():
            return error
        case RequestValidationError():
            return invalid_input(_input_errors(error.errors()))
        case InvalidValue(field=field, rule=rule):
            place = "query" if field in _PARAMETERS else "body"
            return invalid_input([_input_error((place, field), rule)])
        case OperationFailed():
            return _operation_failed(error)
        case ChangedSince(change=change, current=current):
            after_change = present(change.after)
            return Rejection(
                ENTRY_CHANGED_SINCE, str(error), after_change=after_change, current=current
            )
        case StorageUnavailable():
            headers = {"Retry-After": str(error.retry_after)}
            return Rejection(STORAGE_UNAVAILABLE, str(error), headers=headers)
        case TodoError():
            return Rejection(_TYPES[type(error)], str(error))
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            detail = f"There is nothing at {path_of(request)}; see the documentation."
            return Rejection(NOT_FOUND, detail)
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            return _method_not_allowed(request)
    raise error


def _operation_failed(error: OperationFailed) -> Rejection:
    index = error.index
    match error.error:
        case InvalidValue(rule=rule):
            wrong = InputError(detail=rule, pointer=pointer(["operations", index]))
            return Rejection(INVALID_INPUT, str(error), errors=[wrong], operation=index)
        case TodoEntryExists():
            return Rejection(ID_TAKEN, str(error), operation=index)
    return Rejection(_TYPES[type(error.error)], str(error), operation=index)


def _method_not_allowed(request: Request) -> Rejection:
    allowed = ", ".join(_methods_of(request))
    detail = f"{path_of(request)} does not take {request.method}; it takes {allowed}."
    return Rejection(METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})


def _methods_of(request: Request) -> list[str]:
    """Answer every method that some route takes at this path."""
    methods = [
        method
        for method in _METHODS
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    ]
    return sorted({*methods, *(["HEAD"] if "GET" in methods else [])})


def _input_errors(errors: Sequence[Mapping[str, Any]]) -> Iterator[InputError]:
    return (_input_error(error["loc"], broken_rule(error)) for error in errors)


def _input_error(location: Sequence[str | int], detail: str) -> InputError:
    kind, *rest = location
    match kind:
        case "body":
            return InputError(detail=detail, pointer=pointer(rest))
        case "header":
            return InputError(detail=detail, header=str(rest[0]))
    return InputError(detail=detail, parameter=shown(str(rest[0])))
