"""What controllers are given besides the request: what the lifespan has made."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from myapp.application.readiness import Readiness
from myapp.application.todo_service import TodoService
from myapp.infrastructure.api.event_stream import EventStreams

RenderMetrics = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Answers the metrics, and their media type, for what a client's Accept names."""


class AppState(TypedDict):
    """What the lifespan of the application yields, and each request has in its state."""

    todo_service: TodoService
    event_streams: EventStreams
    readiness: Readiness
    render_metrics: RenderMetrics


# JsonRoutes call plain functions; FastAPI's own routes would leave them to a thread.


def todo_service(request: Request) -> TodoService:
    """Answer the use cases."""
    state: AppState = request.scope["state"]
    return state["todo_service"]


def event_streams(request: Request) -> EventStreams:
    """Answer what opens streams of events."""
    state: AppState = request.scope["state"]
    return state["event_streams"]


async def readiness(request: Request) -> Readiness:
    """Answer what knows whether changes can be stored."""
    state: AppState = request.scope["state"]
    return state["readiness"]


async def render_metrics(request: Request) -> RenderMetrics:
    """Answer what renders the metrics."""
    state: AppState = request.scope["state"]
    return state["render_metrics"]


Service = Annotated[TodoService, Depends(todo_service)]
Streams = Annotated[EventStreams, Depends(event_streams)]
Ready = Annotated[Readiness, Depends(readiness)]
Rendering = Annotated[RenderMetrics, Depends(render_metrics)]
