"""The application as a process: what it does with its clients when it starts and ends."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from time import monotonic

import uvicorn
import uvloop
from starlette.applications import Starlette

from myapp.infrastructure.garbage import collect_seldom
from myapp.infrastructure.server.connection import connections
from myapp.infrastructure.server.open_files import allow_open_files
from myapp.infrastructure.server.options import ConnectionOptions
from myapp.infrastructure.server.signals import on_stop

_log = logging.getLogger(__name__)


def serve(
    app: Starlette,
    listener: socket.socket,
    options: ConnectionOptions,
    *,
    shutdown_delay: float,
    shutdown_timeout: float,
    started: Callable[[], None],
    stopping: Callable[[], None],
    closing: Callable[[], None],
    cut_off: Callable[[str], None],
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then finish the requests in flight.

    Calls `started` once requests are taken; `stopping` at the signal, some seconds of delay
    before no more connections are taken; then `closing`, so that those end which have no end
    of their own; and meanwhile `cut_off`, with its setting, for each connection that a limit
    ends. What takes longer than the timeout is given up, or does on a second SIGINT.
    Raises whatever the application's lifespan raises at its start.
    """
    allow_open_files(options.max_connections)
    collect_seldom()
    config = uvicorn.Config(
        app,
        http=connections(options, cut_off),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Left to itself it would believe 127.0.0.1, and whom the environment names.
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
        timeout_graceful_shutdown=ceil(shutdown_timeout),
    )
    server = _Server(config, shutdown_delay, started, stopping, closing)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, server, listener))


async def _serve(app: Starlette, server: "_Server", listener: socket.socket) -> None:
    """Serve within the application's lifespan; uvicorn would show tracebacks of its errors."""
    try:
        async with app.router.lifespan_context(app) as state:
            server.state = state or {}
            await server.serve([listener])
    except Exception:  # whatever it is, all that was acknowledged is safe
        if not server.started:
            raise
        _log.exception("the service could not end as it should")


class _Server(uvicorn.Server):
    """Uvicorn, which tells how far it has come, and keeps what it was told to itself."""

    def __init__(
        self,
        config: uvicorn.Config,
        delay: float,
        started: Callable[[], None],
        stopping: Callable[[], None],
        closing: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._delay = delay
        self._started = started
        self._stopping = stopping
        self._closing = closing
        self._close_at: float | None = None
        self.state: Mapping[str, object] = {}

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Meanwhile signals end the service; uvicorn would raise them again afterwards."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state.update(self.state)
        await super().startup(sockets)
        on_stop(self.handle_exit)
        self._started()

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to take no more connections."""
        if not await super().on_tick(counter):
            return False
        if self._close_at is None:
            self._close_at = monotonic() + self._delay
            self._stopping()
        return self.force_exit or monotonic() >= self._close_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing()
        await super().shutdown(sockets)
