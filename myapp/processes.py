"""The processes that serve an application: this one, or several that it starts."""

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from errno import EMFILE
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from dependency_injector import providers
from starlette.applications import Starlette

from myapp import __version__
from myapp.container import ApplicationContainer
from myapp.infrastructure.api.handled_request import RequestObserver
from myapp.infrastructure.database.errors import StorageOpeningError
from myapp.infrastructure.database.storage import check_shareable
from myapp.infrastructure.logs.setup import set_up_logs
from myapp.infrastructure.metrics.workers import WorkerPlace
from myapp.infrastructure.server import serving, signals
from myapp.infrastructure.server.listening import listen, url_of
from myapp.infrastructure.server.supervisor import Tell, WorkerCannotStart, supervise
from myapp.infrastructure.tracing import TracingNotInstalled
from myapp.settings import InvalidSettings, Settings, load_settings, masked

_FAILURES = (StorageOpeningError, TracingNotInstalled, OSError)

CreateApp = Callable[[Settings, ApplicationContainer, Sequence[RequestObserver]], Starlette]
"""Makes the application in each process that serves it; it has to be picklable."""


def serve(create_app: CreateApp, workers: int | None = None) -> None:
    """Serve as the settings say until told to stop, by so many processes if that is said.

    A start that fails says why, and exits with 1.
    """
    try:
        settings = load_settings()
        _serve(create_app, settings.model_copy(update={"workers": workers or settings.workers}))
    except (InvalidSettings, WorkerCannotStart, *_FAILURES) as error:
        reason = str(error)
        if isinstance(error, OSError) and error.errno == EMFILE:
            reason += ": let the system allow more of them (ulimit -n)."
        separator = "\n" if "\n" in reason else " "
        sys.exit(f"The todo service cannot start:{separator}{reason}")


def _serve(create_app: CreateApp, settings: Settings) -> None:
    signals.on_stop(signals.leave_at_once)
    observers = _set_up_logs(settings)
    with listen(settings.host, settings.port) as listener:
        started = partial(_tell_where, settings, url_of(listener, settings.host))
        if settings.workers == 1:
            container = ApplicationContainer(settings=settings)
            _serve_here(create_app, container, observers, listener, started)
        else:
            asyncio.run(_prepare_for_several(settings))
            with TemporaryDirectory(prefix="todoapp-") as folder:
                work = partial(_work, create_app, settings, listener, Path(folder))
                supervise(work, listener, workers=settings.workers, started=started)


def _set_up_logs(settings: Settings) -> Sequence[RequestObserver]:
    """Answer what logs requests; workers may share a file."""
    return set_up_logs(
        level=settings.log_level,
        form=settings.log_format,
        file=settings.log_file,
        requests=settings.access_log,
    )


def _tell_where(settings: Settings, url: str) -> None:
    print(f"Todo service {__version__}. Stop it with Ctrl-C.")
    print(f"  storage  {masked(settings.storage)}")
    print(f"  address  {url}/todo")
    print(f"  docs     {url}/docs", flush=True)


async def _prepare_for_several(settings: Settings) -> None:
    """Do once what each worker would find undone; raises StorageOpeningError."""
    check_shareable(settings.storage)
    async with ApplicationContainer(settings=settings).storage():
        pass


def _work(
    create_app: CreateApp,
    settings: Settings,
    listener: socket.socket,
    folder: Path,
    number: int,
    tell: Tell,
) -> None:
    """Serve as one of several processes, which share a folder."""
    try:
        observers = _set_up_logs(settings)
        place = providers.Object(WorkerPlace(folder, number))
        container = ApplicationContainer(settings=settings, worker_place=place)
        _serve_here(create_app, container, observers, listener, partial(tell, None))
    except _FAILURES as error:
        tell(str(error))
    finally:
        _remove_if_orphaned(folder)


def _remove_if_orphaned(folder: Path) -> None:
    """Remove a folder if who has made it was killed; of several, the last one succeeds."""
    parent = parent_process()
    if parent is not None and not parent.is_alive():
        rmtree(folder, ignore_errors=True)


def _serve_here(
    create_app: CreateApp,
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
        cut_off=container.metrics().cut_off,
    )
