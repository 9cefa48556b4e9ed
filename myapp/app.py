"""The application: container, lifespan and controllers; `python -m myapp.app` serves it."""

if __name__ == "__main__":  # first: Ctrl-C ends it even while all else is imported
    from myapp.infrastructure.server import signals

    signals.on_stop(signals.leave_at_once)

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from dependency_injector import providers
from fastapi import FastAPI

from myapp import __version__
from myapp.application.sweeper import sweep_regularly
from myapp.container import ApplicationContainer
from myapp.infrastructure.api.dependencies import AppState
from myapp.infrastructure.api.event_stream import EventStreams
from myapp.infrastructure.api.handled_request import RequestObserver
from myapp.infrastructure.api.setup import create_api
from myapp.infrastructure.tracing import open_tracing
from myapp.processes import serve
from myapp.settings import Settings


def create_app(
    settings: Settings,
    container: ApplicationContainer | None = None,
    observers: Sequence[RequestObserver] = (),
) -> FastAPI:
    """Answer the application; its lifespan opens the storage, and closes it at the end.

    Any number of applications can live in one process. A container of one's own replaces
    what the application is made of. The observers are told of each request.
    """
    container = container or ApplicationContainer(settings=settings)
    metrics = container.metrics()
    tracing = open_tracing(__version__) if settings.tracing else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[AppState]:
        async with AsyncExitStack() as stack:
            if tracing is not None:
                stack.push_async_callback(tracing.close)
            storage = await stack.enter_async_context(container.storage())
            repository = metrics.measured(storage)
            if tracing is not None:
                repository = tracing.traced(repository)
            stack.enter_context(container.repository.override(providers.Object(repository)))
            service, feed = container.todo_service(), container.change_feed()
            bus = container.message_bus()
            bus.subscribe(feed.wake)
            metrics.watch_streams(lambda: feed.followers)
            work = sweep_regularly(service), feed.look_regularly(), metrics.share_regularly()
            await stack.enter_async_context(_in_background(*work))
            try:
                yield {
                    "todo_service": service,
                    "event_streams": EventStreams(feed),
                    "readiness": container.readiness(),
                    "render_metrics": metrics.render,
                }
            finally:
                feed.close()
                await bus.drain()
                for part in (container.change_feed, container.message_bus, container.readiness):
                    part.reset()

    return create_api(
        lifespan,
        options=settings.api_options,
        observers=[metrics.requests, *observers],
        tracer_provider=tracing.provider if tracing else None,
    )


def main(workers: int | None = None) -> None:
    """Serve as the settings say; a start that fails says why, and exits with 1."""
    serve(create_app, workers)


@asynccontextmanager
async def _in_background(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Do what has no end of its own meanwhile, and nothing of it any more afterwards."""
    tasks = [asyncio.create_task(piece) for piece in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


if __name__ == "__main__":
    main()
