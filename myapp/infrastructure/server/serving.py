"""The application as a process: its socket, its signals, why it could not start."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myapp.infrastructure.server.connection import Connection

_log = logging.getLogger(__name__)

_FINISH_WITHIN = 30
"""Seconds that requests in flight have to finish after a signal to stop."""

_BACKLOG = 2_048


class AddressUnavailable(OSError):
    """The address cannot be listened on; the message says why and what to do."""


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    started: Callable[[int], None],
    stopping: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in flight.

    Calls `started` with the port (0 asks for any that is free) once requests are taken, and
    `stopping` once no more are, so that those end which have no end of their own.
    Raises AddressUnavailable, and whatever the application's lifespan raises at its start.
    """
    listener = _bind(host, port)
    application = _Application(app)
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_FINISH_WITHIN,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    try:
        _Server(config, lambda: started(listener.getsockname()[1]), stopping).run([listener])
    except SystemExit:
        if application.start_error is not None:
            raise application.start_error from None
        raise


def _bind(host: str, port: int) -> socket.socket:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # now: the port may be free, yet taken a moment later
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no host has such a name"
        raise AddressUnavailable(
            f"{host}:{port} cannot be listened on ({reason}): stop what uses it, or"
            " set TODOAPP_HOST and TODOAPP_PORT to another address."
        ) from error
    return listener


def _exit(_number: int, _frame: FrameType | None) -> None:
    """End without complaint: uvicorn raises the signal again once it has finished."""
    raise SystemExit(0)


class _Server(uvicorn.Server):
    """Uvicorn, which tells when it takes requests, and when it takes no more."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[], None], stopping: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._started = started
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


class _Application:
    """The application, keeping why it could not start and logging why it could not end.

    Uvicorn would show a traceback of both, and of an end that a second Ctrl-C cut short.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.start_error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_quietly(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "lifespan.startup.complete"
            await send({**message, "message": ""})

        try:
            await self._app(scope, receive, send_quietly)
        except Exception as error:  # whatever it is, serve() tells of it
            if started:
                _log.exception("the service could not end as it should")
            else:
                self.start_error = error
