"""How the arguments of a controller's function are made of a request."""

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams

from myapp.infrastructure.api.parameters import check_given_once
from myapp.infrastructure.api.paths import split_cursor
from myapp.infrastructure.api.remembering import remembering

# What a client sends becomes whatever the annotations say, and pydantic tells errors as
# dictionaries of all kinds.
Validate = Callable[..., tuple[Any, list[Any]]]


class Incoming(NamedTuple):
    """A request with its body, the response that functions write to, and what is wrong."""

    request: Request
    body: object
    response: Response
    errors: list[Any]


class Arguments:
    """What a function is called with, and those that it depends on.

    FastAPI has read the signatures, and works out with every request what that means; here
    it is worked out once. What no function of this service needs is left out, and refused.
    """

    def __init__(self, dependant: Dependant) -> None:
        _check_wishes(dependant)
        self._request_name = dependant.request_param_name
        self._response_name = dependant.response_param_name
        self._dependencies = list(map(_dependency, dependant.dependencies))
        self._parameters = list(_parameters(dependant))

    def read(self, incoming: Incoming) -> dict[str, Any]:
        """Answer the arguments by their names; they are all there unless anything is wrong."""
        values: dict[str, Any] = {}
        for name, function, arguments in self._dependencies:
            given = arguments.read(incoming)
            if not incoming.errors:
                values[name] = function(**given)
        for name, parameter in self._parameters:
            values[name] = parameter.read(incoming)
        if self._request_name is not None:
            values[self._request_name] = incoming.request
        if self._response_name is not None:
            values[self._response_name] = incoming.response
        return values


class _FromPath:
    def __init__(self, validate: Validate, alias: str) -> None:
        self._validate = validate
        self._alias = alias

    def read(self, incoming: Incoming) -> Any:
        text = incoming.request.path_params[self._alias]
        value, errors = self._validate(text, loc=("path", self._alias))
        incoming.errors.extend(errors)
        return value


class _FromQuery:
    """A model of all parameters; those that are lists may be given more than once."""

    def __init__(self, validate: Validate, model: Any) -> None:
        self._validate = validate
        fields: dict[str, FieldInfo] = model.model_fields
        self._lists = {
            name for name, field in fields.items() if get_origin(field.annotation) is list
        }
        self._has_cursor = "cursor" in fields
        self._parse = remembering(self._parse_anew)

    def read(self, incoming: Incoming) -> Any:
        try:
            return self._parse_page(incoming.request.scope["query_string"])
        except RequestValidationError as wrong:
            incoming.errors.extend(wrong.errors())
            return None

    def _parse_page(self, query: bytes) -> Any:
        """Answer the parameters; those of all pages of a query are parsed once."""
        rest, cursor = split_cursor(query)
        if cursor is None or not self._has_cursor:
            return self._parse(query)
        parameters = self._parse(rest)
        if parameters.cursor is not None:
            return self._parse(query)  # which finds that there are two
        return parameters.model_copy(update={"cursor": cursor})

    def _parse_anew(self, query: bytes) -> Any:
        parameters = QueryParams(query)
        check_given_once(parameters)
        given: dict[str, object] = {}
        for name in parameters:
            given[name] = parameters.getlist(name) if name in self._lists else parameters[name]
        value, errors = self._validate(given, loc=("query",))
        if errors:
            raise RequestValidationError(errors)
        return value


class _FromHeaders:
    """All lines of a field; its default if there is none."""

    def __init__(self, validate: Validate, alias: str, default: object) -> None:
        self._validate = validate
        self._alias = alias
        self._name = alias.lower().encode("ascii")
        self._default = default

    def read(self, incoming: Incoming) -> Any:
        headers: list[tuple[bytes, bytes]] = incoming.request.scope["headers"]
        lines = [value.decode("latin-1") for name, value in headers if name == self._name]
        if not lines:
            return self._default
        value, errors = self._validate(lines, loc=("header", self._alias))
        incoming.errors.extend(errors)
        return value


class _FromBody:
    def __init__(self, validate: Validate) -> None:
        self._validate = validate

    def read(self, incoming: Incoming) -> Any:
        value, errors = self._validate(incoming.body, loc=("body",))
        incoming.errors.extend(errors)
        return value


_Parameter = _FromPath | _FromQuery | _FromHeaders | _FromBody


def _parameters(dependant: Dependant) -> Iterator[tuple[str, _Parameter]]:
    for field in dependant.path_params:
        yield field.name, _FromPath(field.validate, field.alias)
    for field in dependant.query_params:
        yield field.name, _FromQuery(field.validate, field.field_info.annotation)
    for field in dependant.header_params:
        yield field.name, _FromHeaders(field.validate, field.alias, field.default)
    for field in dependant.body_params:
        yield field.name, _FromBody(field.validate)


def _dependency(part: Dependant) -> tuple[str, Callable[..., Any], Arguments]:
    """Answer the name of what is depended on, and what makes it.

    Raises TypeError if it would have to be waited for, or is for nothing but its effect.
    """
    if part.name is None or part.call is None or iscoroutinefunction(part.call):
        raise TypeError(f"{part.call} cannot be depended on by this kind of route")
    return part.name, part.call, Arguments(part)


def _check_wishes(dependant: Dependant) -> None:
    """Raise TypeError if a function wants what is left out here."""
    if (
        dependant.cookie_params
        or dependant.http_connection_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    ):
        raise TypeError(f"{dependant.call} cannot be called by this kind of route")
