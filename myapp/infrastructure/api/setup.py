"""The HTTP application: controllers, problems and middleware put together."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from starlette.types import Lifespan

from myapp import __version__
from myapp.infrastructure.api import (
    docs_controller,
    health_controller,
    todo_controller,
)
from myapp.infrastructure.api.middleware import HeadAsGet, RequestLog, UnderPrefix, Utf8Target
from myapp.infrastructure.api.problem_handlers import install_problem_handlers
from myapp.infrastructure.api.problems import Problem

_DESCRIPTION = """\
Todos that stay: what was acknowledged survives any crash.

Every error is a problem document (RFC 9457) whose `type` leads to an explanation. Entries
and lists carry an `ETag`, to revalidate what you have and to change only what you have seen.
"""


class TodoApi(FastAPI):
    """FastAPI, whose OpenAPI document also describes the problems."""

    def openapi(self) -> dict[str, Any]:
        """Answer the OpenAPI document."""
        document = super().openapi()
        template = "#/components/schemas/{model}"
        problem = Problem.model_json_schema(ref_template=template)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(problem.pop("$defs"), Problem=problem)
        return document


def create_api(
    lifespan: Lifespan[FastAPI], *, prefix: str, new_id: Callable[[], UUID]
) -> FastAPI:
    """Answer the application; the lifespan's state has to hold the `todo_service`.

    `prefix` is the path a proxy serves it under, `new_id` names requests.
    """
    app = TodoApi(
        title="Todo service",
        version=__version__,
        description=_DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=lambda route: route.name,
    )
    for controller in (todo_controller, health_controller, docs_controller):
        app.include_router(controller.router)
    install_problem_handlers(app)
    app.add_middleware(Utf8Target)
    app.add_middleware(HeadAsGet)
    app.add_middleware(UnderPrefix, prefix=prefix)
    app.add_middleware(RequestLog, new_id=new_id)
    return app
