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
from starlette.types import ASGIApp, Receive, Scope, Send

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

    A change refuses parameters that it does not know, like any list: `dry_run`, where there
    is none, would be done for real.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer what takes the place of FastAPI's handler."""
        if not iscoroutinefunction(self.endpoint):
            raise TypeError(f"{self.endpoint} cannot be called by this kind of route")
        self._arguments = Arguments(self.dependant)
        self._to_json = _AS_JSON.get(self.response_model) or _by_model(self.response_model)
        takes_parameters = "GET" in (self.methods or ()) or self.dependant.query_params
        self._refuses_parameters = not takes_parameters

        async def handle(request: Request) -> Response:
            return await self.answer(JsonRequest(request.scope, request.receive))

        return handle

    async def answer(self, request: JsonRequest) -> Response:
        """Answer the response to a request; raises what is wrong with it."""
        if self._refuses_parameters and request.scope["query_string"]:
            refuse_parameters(request)
        body = await request.json() if self.body_field else None
        response = _Unfinished(status_code=self.status_code or HTTPStatus.OK)
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


class JsonRouting:
    """Finds such a route by itself, and leaves all else to the application."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._by_path: dict[tuple[str, str], JsonRoute] = {}
        self._by_pattern: dict[str, list[JsonRoute]] = {}
        for route in routes:
            if isinstance(route, JsonRoute):
                for method in route.methods or ():
                    if route.param_convertors:
                        self._by_pattern.setdefault(method, []).append(route)
                    else:
                        self._by_path[method, route.path] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"], scope["endpoint"] = route, route.endpoint
        request = JsonRequest(scope, receive)
        try:
            response = await route.answer(request)
        except Exception as error:  # those that should not have happened are raised again
            response = problem_response(request, rejection_of(request, error))
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> JsonRoute | None:
        """Answer the route, and tell the scope what its path holds."""
        path: str = scope["path"]
        prefix: str = scope.get("root_path", "")
        if path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        if found := self._by_path.get((scope["method"], path)):
            scope["path_params"] = {}
            return found
        for route in self._by_pattern.get(scope["method"], ()):
            if match := route.path_regex.match(path):
                scope["path_params"] = match.groupdict()
                return route
        return None


class _Unfinished(Response):
    """A response that is given its content, and the headers of that, at last."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = []


def _by_model(model: Any) -> ToJson:
    adapter = TypeAdapter(model)

    def to_json(answer: Any) -> bytes:
        return adapter.dump_json(adapter.validate_python(answer, from_attributes=True))

    return to_json
