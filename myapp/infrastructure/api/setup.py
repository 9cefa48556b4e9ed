"""The HTTP application: controllers, problems and middleware put together."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from opentelemetry.trace import TracerProvider
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Lifespan

from myapp import __version__
from myapp.infrastructure.api import (
    batch_controller,
    change_controller,
    docs_controller,
    event_controller,
    health_controller,
    metrics_controller,
    todo_controller,
)
from myapp.infrastructure.api.edge import Edge
from myapp.infrastructure.api.handled_request import RequestObserver
from myapp.infrastructure.api.json_route import JsonRoutes
from myapp.infrastructure.api.limits import Limits
from myapp.infrastructure.api.openapi import complete
from myapp.infrastructure.api.options import ApiOptions
from myapp.infrastructure.api.origins import Origins
from myapp.infrastructure.api.paths import match_whole_paths
from myapp.infrastructure.api.problem_handlers import install_problem_handlers
from myapp.infrastructure.api.trace_context import received_trace_id, recorded_trace_id

_DESCRIPTION = """\
Todos that stay: what was acknowledged survives any crash.

Every error is a problem document (RFC 9457) whose `type` leads to an explanation. Entries
and lists carry an `ETag`, to revalidate what you have and to change only what you have seen.
What changes can be followed and undone, and a request with an `Idempotency-Key` be repeated
without doing anything twice.
"""


_TAGS = [
    {"name": "todo", "description": "The todo entries, and their tags."},
    {"name": "changes", "description": "What has happened to the entries, and its undoing."},
    {"name": "health", "description": "For whoever runs the service."},
    {"name": "documentation", "description": "What problems mean."},
]


class TodoApi(FastAPI):
    """FastAPI, whose OpenAPI document is completed, and which is served through an edge."""

    edge: Callable[[ASGIApp], ASGIApp]

    def openapi(self) -> dict[str, Any]:
        """Answer the OpenAPI document."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            complete(document)
        return document

    def build_middleware_stack(self) -> ASGIApp:
        """Answer what serves requests: the edge in the place of Starlette's outermost layer.

        That would answer failures in plain text, before anything around it can.
        """
        outermost = super().build_middleware_stack()
        if not isinstance(outermost, ServerErrorMiddleware):
            raise TypeError(f"{outermost} is not what the edge takes the place of")
        return self.edge(outermost.app)


def create_api(
    lifespan: Lifespan[FastAPI],
    *,
    options: ApiOptions,
    observers: Sequence[RequestObserver] = (),
    tracer_provider: TracerProvider | None = None,
) -> FastAPI:
    """Answer the application; the lifespan has to yield an AppState.

    The observers are told of each request. Spans are made by the provider, if there is one.
    """
    app = TodoApi(
        title="Todo service",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "tracing": tracer_provider is not None,
            "tracer_provider": tracer_provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,  # or the environment would be read
        },
    )
    for controller in (
        todo_controller,
        batch_controller,
        change_controller,
        event_controller,
        health_controller,
        metrics_controller,
        docs_controller,
    ):
        # To include the router would build its routes anew for each application: 30 ms.
        app.router.routes.extend(controller.router.routes)
    match_whole_paths(app.router.routes)
    install_problem_handlers(app)
    app.state.max_body_bytes = options.max_body_bytes
    origins = Origins(options.cors_origins)
    app.edge = partial(
        Edge,
        # FastAPI's spans are named by its own routing.
        routes=JsonRoutes(app.router.routes if tracer_provider is None else ()),
        prefix=options.prefix,
        limits=Limits(options, origins),
        origins=origins,
        observers=observers,
        trace_id_of=recorded_trace_id if tracer_provider else received_trace_id,
    )
    return app
