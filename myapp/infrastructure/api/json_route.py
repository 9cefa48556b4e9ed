"""Routes that FastAPI declares and documents, and that serve requests by themselves.

Without FastAPI's own routing and handler an entry takes half of the processor's time to answer
(408 instead of 761 microseconds in one run; decision 17).
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from http import HTTPStatus
from inspect import iscoroutinefunction
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope

from myapp.infrastructure.api.arguments import Arguments, Incoming
from myapp.infrastructure.api.entry_json import entries_json, entry_json, id_or_entry_json
from myapp.infrastructure.api.json_body import JsonRequest
from myapp.infrastructure.api.parameters import refuse_parameters
from myapp.infrastructure.api.problem_handlers import rejection_of
from myapp.infrastructure.api.problems import problem_response
from myapp.infrastructure.api.todo_schema import TodoEntrySchema

ToJson = Callable[[Any], bytes]  # of whatever the route's model is made of

_AS_JSON: dict[Any, ToJson] = {
    TodoEntrySchema: entry_json,
    list[TodoEntrySchema]: entries_json,
    UUID | TodoEntrySchema: id_or_entry_json,
}
_JSON = (b"content-type", b"application/json")


class JsonRoute(APIRoute):
    """A route whose body, if it takes one, is read by JsonRequest.

    It refuses parameters that it does not know: a filter with a typing error would list
    everything, and a `dry_run`, where there is none, be done for real.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer what takes the place of FastAPI's handler."""
        if not iscoroutinefunction(self.endpoint):
            raise TypeError(f"{self.endpoint} cannot be called by this kind of route")
        self._arguments = Arguments(self.dependant)
        self._to_json = _AS_JSON.get(self.response_model) or _by_model(self.response_model)
        self._status = int(self.status_code or HTTPStatus.OK)
        self._refuses_parameters = not self.dependant.query_params

        async def handle(request: Request) -> Response:
            return await self.answer(JsonRequest(request.scope, request.receive))

        return handle

    async def respond(self, scope: Scope, receive: Receive) -> Response:
        """Answer the response to a request, or the problem that is wrong with it."""
        request = JsonRequest(scope, receive)
        try:
            return await self.answer(request)
        except Exception as error:  # those that should not have happened are raised again
            return problem_response(request, rejection_of(request, error))

    async def answer(self, request: JsonRequest) -> Response:
        """Answer the response to a request; raises what is wrong with it."""
        if self._refuses_parameters and request.scope["query_string"]:
            refuse_parameters(request)
        body = await request.json() if self.body_field else None
        response = _Unfinished(status_code=self._status)
        errors: list[object] = []
        given = self._arguments.read(Incoming(request, body, response, errors))
        if errors:
            raise RequestValidationError(errors)
        answer = await self.endpoint(**given)
        if isinstance(answer, Response):
            return answer
        if self.response_model is not None:
            response.body = self._to_json(answer)
            length = b"%d" % len(response.body)
            response.raw_headers += [_JSON, (b"content-length", length)]
        return response


class JsonRoutes:
    """Such routes by method and path."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_path: dict[tuple[str, str], JsonRoute] = {}
        self._by_pattern: dict[str, list[JsonRoute]] = {}
        for route in routes:
            if isinstance(route, JsonRoute):
                for method in route.methods or ():
                    if route.param_convertors:
                        self._by_pattern.setdefault(method, []).append(route)
                    else:
                        self._by_path[method, route.path] = route

    def find(self, scope: Scope) -> JsonRoute | None:
        """Answer the route, if there is one, and tell the scope what its path holds."""
        method: str = "GET" if scope["method"] == "HEAD" else scope["method"]
        path: str = scope["path"]
        prefix: str = scope.get("root_path", "")
        if prefix and path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        found = self._by_path.get((method, path))
        given: dict[str, str] = {}
        if found is None:
            for route in self._by_pattern.get(method, ()):
                if match := route.path_regex.match(path):
                    found, given = route, match.groupdict()
                    break
            else:
                return None
        scope["path_params"], scope["route"] = given, found
        scope["endpoint"] = found.endpoint
        return found


class _Unfinished(Response):
    """A response that is given its content, and the headers of that, at last."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = []


def _by_model(model: Any) -> ToJson:
    adapter = TypeAdapter(model)

    def to_json(answer: Any) -> bytes:
        return adapter.dump_json(adapter.validate_python(answer, from_attributes=True))

    return to_json
