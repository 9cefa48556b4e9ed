"""How the arguments of a controller's function are made of a request."""

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from operator import attrgetter
from typing import Any, NamedTuple, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams

from myapp.infrastructure.api.parameters import check_given_once
from myapp.infrastructure.api.parsed import Parsed
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


Read = Callable[[Incoming], Any]


class Arguments:
    """What a function is called with, and those that it depends on.

    FastAPI has read the signatures, and works out with every request what that means; here
    it is worked out once. What no function of this service needs is left out, and refused.
    """

    def __init__(self, dependant: Dependant) -> None:
        _check_wishes(dependant)
        self._parts: list[tuple[str, Read]] = [
            *map(_dependency, dependant.dependencies),
            *_parameters(dependant),
        ]
        if dependant.request_param_name is not None:
            self._parts.append((dependant.request_param_name, attrgetter("request")))
        if dependant.response_param_name is not None:
            self._parts.append((dependant.response_param_name, attrgetter("response")))

    def read(self, incoming: Incoming) -> dict[str, Any]:
        """Answer the arguments by their names; they are all there unless anything is wrong."""
        return {name: read(incoming) for name, read in self._parts}


class _Dependency:
    def __init__(self, function: Callable[..., Any], arguments: Arguments) -> None:
        self._function = function
        self._arguments = arguments

    def read(self, incoming: Incoming) -> Any:
        given = self._arguments.read(incoming)
        return None if incoming.errors else self._function(**given)


class _FromPath:
    def __init__(self, validate: Validate, alias: str) -> None:
        self._validate = validate
        self._alias = alias

    def read(self, incoming: Incoming) -> Any:
        text = incoming.request.path_params[self._alias]
        value, errors = self._validate(text, loc=("path", self._alias))
        incoming.errors.extend(errors)
        return value


class _ParsedFromPath(_FromPath):
    """A value that pydantic would only parse: it is asked if that fails, for what to tell."""

    def __init__(
        self, validate: Validate, alias: str, parse: Callable[[object], object]
    ) -> None:
        super().__init__(validate, alias)
        self._parse = parse

    def read(self, incoming: Incoming) -> Any:
        try:
            return self._parse(incoming.request.path_params[self._alias])
        except ValueError:
            return super().read(incoming)


class _FromQuery:
    """A model of all parameters; those that are lists may be given more than once.

    What all pages of a query have in common is parsed once: `cursor_of` tells them apart.
    """

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
        rest, cursor = split_cursor(query) if self._has_cursor else (query, None)
        if cursor is None:
            return self._parse(query)
        parameters = self._parse(rest)
        return parameters if parameters.cursor is None else self._parse(query)  # has two

    def _parse_anew(self, query: bytes) -> Any:
        parameters = QueryParams(query)
        check_given_once(parameters, self._lists)
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


def _parameters(dependant: Dependant) -> Iterator[tuple[str, Read]]:
    for field in dependant.path_params:
        match field.field_info.metadata:
            case [Parsed(parse=parse)]:
                yield field.name, _ParsedFromPath(field.validate, field.alias, parse).read
            case _:
                yield field.name, _FromPath(field.validate, field.alias).read
    for field in dependant.query_params:
        yield field.name, _FromQuery(field.validate, field.field_info.annotation).read
    for field in dependant.header_params:
        yield field.name, _FromHeaders(field.validate, field.alias, field.default).read
    for field in dependant.body_params:
        yield field.name, _FromBody(field.validate).read


def _dependency(part: Dependant) -> tuple[str, Read]:
    """Answer the name of what is depended on, and how it is made.

    Raises TypeError if it would have to be waited for, or is for nothing but its effect.
    """
    if part.name is None or part.call is None or iscoroutinefunction(part.call):
        raise TypeError(f"{part.call} cannot be depended on by this kind of route")
    return part.name, _Dependency(part.call, Arguments(part)).read


def _check_wishes(dependant: Dependant) -> None:
    """Raise TypeError if a function wants what is left out here."""
    if (
        dependant.cookie_params
        or dependant.http_connection_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    ):
        raise TypeError(f"{dependant.call} cannot be called by this kind of route")
