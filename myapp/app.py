"""The application: container, lifespan and controllers; `python -m myapp.app` serves it."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_address

from dependency_injector import providers
from fastapi import FastAPI

from myapp import __version__
from myapp.application.sweeper import sweep_regularly
from myapp.container import ApplicationContainer
from myapp.infrastructure.api.event_stream import EventStreams
from myapp.infrastructure.api.setup import create_api
from myapp.infrastructure.database.errors import StorageOpeningError
from myapp.infrastructure.server import serving
from myapp.settings import InvalidSettings, Settings, load_settings, masked

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_log = logging.getLogger(__name__)


def create_app(settings: Settings, container: ApplicationContainer | None = None) -> FastAPI:
    """Answer the application; its lifespan opens the storage, and closes it at the end.

    Any number of applications can live in one process. A container of one's own replaces
    what the application is made of.
    """
    container = container or ApplicationContainer(settings=settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with container.storage() as repository:
            container.repository.override(providers.Object(repository))
            service, feed = container.todo_service(), container.change_feed()
            bus = container.message_bus()
            bus.subscribe(feed.wake)
            async with _in_background(sweep_regularly(service), feed.look_regularly()):
                try:
                    yield {"todo_service": service, "event_streams": EventStreams(feed)}
                finally:
                    feed.close()
                    await bus.drain()
                    container.change_feed.reset()
                    container.message_bus.reset()

    return create_api(lifespan, options=settings.api_options, new_id=container.new_id())


def serve(settings: Settings) -> None:
    """Serve until told to stop; raises what keeps the service from starting."""
    logging.basicConfig(level=settings.log_level, format=_LOG_FORMAT)
    for library in ("alembic", "uvicorn.error"):
        logging.getLogger(library).setLevel(logging.WARNING)
    if not _is_loopback(settings.host):
        _log.warning(
            "TODOAPP_HOST=%s: whoever reaches this address may read and change everything,"
            " since there are no users yet",
            settings.host,
        )

    def tell(port: int) -> None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{port}"
        print(f"Todo service {__version__}. Stop it with Ctrl-C.")
        print(f"  storage  {masked(settings.storage)}")
        print(f"  address  {url}/todo")
        print(f"  docs     {url}/docs", flush=True)

    container = ApplicationContainer(settings=settings)
    serving.serve(
        create_app(settings, container),
        host=settings.host,
        port=settings.port,
        started=tell,
        stopping=lambda: container.change_feed().close(),
    )


def main() -> None:
    """Serve as the settings say; a start that fails says why, and exits with 1."""
    try:
        serve(load_settings())
    except (InvalidSettings, StorageOpeningError, OSError) as error:
        sys.exit(f"The todo service cannot start:\n{error}")


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


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
