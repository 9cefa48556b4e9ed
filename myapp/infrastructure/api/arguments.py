"""How the arguments of a controller's function are made of a request."""

from collections.abc import Awaitable, Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams

from myapp.infrastructure.api.parameters import check_given_once
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
    """What a function and those that it depends on are called with.

    FastAPI has read the signatures, and works out with every request what that means; here
    it is worked out once. What no function of this service needs is left out, and refused.
    """

    def __init__(self, dependant: Dependant) -> None:
        self._function = _async_function(dependant)
        self._request_name = dependant.request_param_name
        self._response_name = dependant.response_param_name
        self._dependencies = [(part.name, Arguments(part)) for part in dependant.dependencies]
        self._parameters = list(_parameters(dependant))

    async def call(self, incoming: Incoming) -> Any:
        """Answer what the function answers, None unless all that it is given is right."""
        values: dict[str, Any] = {}
        for name, dependency in self._dependencies:
            value = await dependency.call(incoming)
            if name is not None:
                values[name] = value
        for name, parameter in self._parameters:
            values[name] = parameter.read(incoming)
        if incoming.errors:
            return None
        if self._request_name is not None:
            values[self._request_name] = incoming.request
        if self._response_name is not None:
            values[self._response_name] = incoming.response
        return await self._function(**values)


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
        self._parse = remembering(self._parse_anew)

    def read(self, incoming: Incoming) -> Any:
        try:
            return self._parse(incoming.request.scope["query_string"])
        except RequestValidationError as wrong:
            incoming.errors.extend(wrong.errors())
            return None

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


def _async_function(dependant: Dependant) -> Callable[..., Awaitable[Any]]:
    """Answer the function; raises TypeError if it wants what is left out here."""
    function = dependant.call
    wants_more = (
        dependant.cookie_params
        or dependant.http_connection_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    )
    if function is None or not iscoroutinefunction(function) or wants_more:
        raise TypeError(f"{function} cannot be called by this kind of route")
    return function
