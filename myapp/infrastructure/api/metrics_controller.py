"""The metrics, for whoever watches the service."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from myapp.infrastructure.api.dependencies import Rendering
from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.problems import answers
from myapp.infrastructure.api.response_docs import VARY_ACCEPT

router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)

_EXAMPLE = """\
# HELP todo_http_requests_total Requests by the template of their path.
# TYPE todo_http_requests_total counter
todo_http_requests_total{method="GET",route="/todo",status="200"} 17.0
"""
_OPENMETRICS_EXAMPLE = """\
# HELP todo_http_requests Requests by the template of their path.
# TYPE todo_http_requests counter
todo_http_requests_total{method="GET",route="/todo",status="200"} 17.0
# EOF
"""


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    response_description="The metrics, or the same in the format of OpenMetrics if that is"
    " asked for.",
    responses={
        200: {
            "headers": VARY_ACCEPT,
            "content": {
                "text/plain": {"example": _EXAMPLE},
                "application/openmetrics-text": {
                    "schema": {"type": "string"},
                    "example": _OPENMETRICS_EXAMPLE,
                },
            },
        },
        **answers(),
    },
)
async def metrics(request: Request, render: Rendering) -> Response:
    """Answer what the service counts and measures, as Prometheus reads it.

    That of all workers together; nothing in it is content of entries.
    """
    content, media_type = await render(",".join(request.headers.getlist("accept")))
    return Response(content, headers={"Content-Type": media_type, "Vary": "Accept"})
