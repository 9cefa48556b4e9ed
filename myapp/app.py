"""The application: container, lifespan and controllers; `python -m myapp.app` serves it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from errno import EMFILE
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from dependency_injector import providers
from fastapi import FastAPI

from myapp import __version__
from myapp.application.sweeper import sweep_regularly
from myapp.container import ApplicationContainer
from myapp.infrastructure.api.event_stream import EventStreams
from myapp.infrastructure.api.handled_request import RequestObserver
from myapp.infrastructure.api.setup import create_api
from myapp.infrastructure.database.errors import StorageOpeningError
from myapp.infrastructure.database.storage import check_shareable
from myapp.infrastructure.logs.setup import set_up_logs
from myapp.infrastructure.metrics.workers import WorkerPlace
from myapp.infrastructure.server import serving, signals
from myapp.infrastructure.server.listening import listen, url_of
from myapp.infrastructure.server.supervisor import Tell, WorkerCannotStart, supervise
from myapp.infrastructure.tracing import TracingNotInstalled, open_tracing
from myapp.settings import InvalidSettings, Settings, load_settings, masked

_FAILURES = (StorageOpeningError, TracingNotInstalled, OSError)


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
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with AsyncExitStack() as stack:
            if tracing is not None:
                stack.push_async_callback(tracing.close)
            repository = await stack.enter_async_context(container.storage())
            container.repository.override(providers.Object(metrics.measured(repository)))
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
        new_id=container.new_id(),
        observers=[metrics.requests, *observers],
        tracer_provider=tracing.provider if tracing else None,
    )


def serve(settings: Settings) -> None:
    """Serve until told to stop; raises what keeps the service from starting."""
    signals.on_stop(signals.leave_content)
    observers = _set_up_logs(settings)
    with listen(settings.host, settings.port) as listener:
        started = partial(_tell_where, settings, url_of(listener, settings.host))
        if settings.workers == 1:
            container = ApplicationContainer(settings=settings)
            _serve(container, observers, listener, started)
        else:
            asyncio.run(_prepare_for_several(settings))
            with TemporaryDirectory(prefix="todoapp-") as folder:
                work = partial(_work, settings, listener, Path(folder))
                supervise(work, listener, workers=settings.workers, started=started)


def main(workers: int | None = None) -> None:
    """Serve as the settings say; a start that fails says why, and exits with 1."""
    try:
        settings = load_settings()
        serve(settings.model_copy(update={"workers": workers or settings.workers}))
    except (InvalidSettings, WorkerCannotStart, *_FAILURES) as error:
        reason = str(error)
        if isinstance(error, OSError) and error.errno == EMFILE:
            reason += ": let the system allow more of them (ulimit -n)."
        separator = "\n" if "\n" in reason else " "
        sys.exit(f"The todo service cannot start:{separator}{reason}")


def _set_up_logs(settings: Settings) -> Sequence[RequestObserver]:
    """Answer what logs requests; workers may share a file."""
    return set_up_logs(
        level=settings.log_level,
        form=settings.log_format,
        file=settings.log_file,
        requests=settings.access_log,
    )


async def _prepare_for_several(settings: Settings) -> None:
    """Do once what each worker would find undone; raises StorageOpeningError."""
    check_shareable(settings.storage)
    async with ApplicationContainer(settings=settings).storage():
        pass


def _tell_where(settings: Settings, url: str) -> None:
    print(f"Todo service {__version__}. Stop it with Ctrl-C.")
    print(f"  storage  {masked(settings.storage)}")
    print(f"  address  {url}/todo")
    print(f"  docs     {url}/docs", flush=True)


def _work(
    settings: Settings, listener: socket.socket, folder: Path, number: int, tell: Tell
) -> None:
    """Serve as one of several processes, which share a folder."""
    try:
        observers = _set_up_logs(settings)
        place = providers.Object(WorkerPlace(folder, number))
        container = ApplicationContainer(settings=settings, worker_place=place)
        _serve(container, observers, listener, partial(tell, None))
    except _FAILURES as error:
        tell(str(error))


def _serve(
    container: ApplicationContainer,
    observers: Sequence[RequestObserver],
    listener: socket.socket,
    started: Callable[[], None],
) -> None:
    """Serve what the container holds, in this process."""
    settings = container.settings()
    serving.serve(
        create_app(settings, container, observers),
        listener,
        settings.connection_options,
        shutdown_delay=settings.shutdown_delay,
        shutdown_timeout=settings.shutdown_timeout,
        started=started,
        stopping=lambda: container.readiness().stop(),
        closing=lambda: container.change_feed().close(),
    )


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
