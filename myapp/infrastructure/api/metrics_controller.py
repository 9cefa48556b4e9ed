"""The metrics, for whoever watches the service."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.problems import answers

router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)

RenderMetrics = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Answers the metrics, and their media type, for what a client's Accept names."""

_EXAMPLE = """\
# HELP todo_http_requests_total Requests by the template of their path.
# TYPE todo_http_requests_total counter
todo_http_requests_total{method="GET",route="/todo",status="200"} 17.0
"""


async def render_metrics(request: Request) -> RenderMetrics:
    """Answer what renders metrics, which the lifespan has put into the application's state."""
    render: RenderMetrics = request.state.render_metrics
    return render


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    response_description="The metrics, or the same in the format of OpenMetrics if that is"
    " asked for.",
    responses={200: {"content": {"text/plain": {"example": _EXAMPLE}}}, **answers()},
)
async def metrics(
    request: Request, render: Annotated[RenderMetrics, Depends(render_metrics)]
) -> Response:
    """Answer what the service counts and measures, as Prometheus reads it.

    That of all workers together; nothing in it is content of entries.
    """
    content, media_type = await render(",".join(request.headers.getlist("accept")))
    return Response(content, headers={"Content-Type": media_type, "Vary": "Accept"})
