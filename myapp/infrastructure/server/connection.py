"""A client's connection: what it may send, how slowly, and when it is cut off."""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.requests import HTTPConnection
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from myapp.infrastructure.api.limits import REFUSAL
from myapp.infrastructure.api.problem_types import (
    HEADERS_TOO_LARGE,
    OVERLOADED,
    REQUEST_TIMEOUT,
    URI_TOO_LONG,
    ProblemType,
)
from myapp.infrastructure.api.problems import Rejection, problem_response
from myapp.infrastructure.api.security_headers import SECURITY_HEADERS
from myapp.infrastructure.server.deadline import Deadline
from myapp.infrastructure.server.delivery import Delivery
from myapp.infrastructure.server.exchange import Exchange
from myapp.infrastructure.server.options import ConnectionOptions
from myapp.infrastructure.server.outgoing import Outgoing, Turns
from myapp.infrastructure.server.request_head import check_head, malformed, split_target

_FIELDS_MOST = 100
_PIPELINED_MOST = 64  # requests that wait for the answer to another one
_OVERHEAD = 8  # bytes for each of a body: a chunk of one byte takes six
_TURNED_AWAY_MOST = 256  # connections that are told so; what is beyond is just closed
_LINGER = 2.0  # seconds for a client to notice that it was answered, and to close
_WARNED_AGAIN = 60.0  # seconds
_PATH_TOLD = 200  # of a request that is refused before it is read

_log = logging.getLogger(__name__)


class _Stage(Enum):
    """What is expected of the client."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()
    END = auto()


class _NothingMore(Exception):
    """Stops the parser: what follows the last request is not looked at."""


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, within limits.

    What is refused is answered by the application, with a problem, in its turn, and is the
    last answer.
    """

    options = ConnectionOptions()

    _turns: Turns  # of the event loop, for all connections of a service
    _too_many = b""  # the answer to connections beyond those that may be
    _warned = -_WARNED_AGAIN

    _stage = _Stage.NOTHING
    _requests = 0
    _head_size = 0
    _body_size = 0
    _received = 0  # bytes since the stage was entered
    _latest: Exchange | None = None
    _answered: Exchange | None = None
    _lingers = False
    _in_turn: tuple[Exchange, ...] = ()  # which wait for their answers

    def cut_off(self, limit: str) -> None:
        """Learn that this connection is ended by a limit, the setting of that name."""

    def connection_made(self, transport: Any) -> None:  # uvloop's is one but in name
        super().connection_made(transport)
        stalled = partial(self.cut_off, "send_timeout")
        self._outgoing = Outgoing(self.loop, transport, self._turns)
        self._deadline = Deadline(self.loop, self._be_late)
        self._delivery = Delivery(self.loop, transport, self.options.send_timeout, stalled)
        if len(self.connections) > self.options.max_connections:
            self._turn_away()
        else:
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage = _Stage.END
        self._deadline.cancel()
        self._delivery.watch_no_more()
        self._in_turn = ()
        if self._answered is not None:
            self.cycle = self._answered
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._stage is _Stage.END:
            return
        before = self._stage, self._requests
        self._parse(data)
        if (self._stage, self._requests) == before:
            self._received += len(data)
        else:
            is_begun = before == (_Stage.NOTHING, self._requests - 1)
            self._received = len(data) if is_begun and self._stage is _Stage.HEAD else 0
            if self._answered is None or self._stage is not _Stage.NOTHING:
                self._set_deadline()  # else there is one again once it is answered
        self._check_received()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's answers nothing
        """Answer whether to go on: a client that sends no more may wait for answers.

        Whether it has gone away shows only once it is sent some (RFC 9112, 9.5).
        """
        if self._answered is None:
            return False
        self._stage = _Stage.END
        waiting = (self._answered, *self._in_turn)
        for exchange in waiting:
            exchange.expect_no_more()
        waiting[-1].keep_alive = False
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._delivery.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._delivery.watch_no_more()

    def shutdown(self) -> None:
        if self._answered is None:
            self._close_at_once()
        elif self._latest is not None:
            self._latest.keep_alive = False
            self._delivery.watch()

    # What the parser calls:

    def on_message_begin(self) -> None:
        if self._stage is _Stage.END:
            raise _NothingMore
        super().on_message_begin()
        self._stage = _Stage.HEAD
        self._requests += 1
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_size += len(url)
        if self._head_size > self.options.max_header_bytes:
            raise self._head_too_large(URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value) + 3  # colon, CR, LF
        if self._head_size > self.options.max_header_bytes:
            raise self._head_too_large(HEADERS_TOO_LARGE)
        if self._stage is _Stage.HEAD:  # what follows a body is not for before it
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if len(self.headers) > _FIELDS_MOST:
            detail = f"The request has more than {_FIELDS_MOST} header fields."
            raise Rejection(HEADERS_TOO_LARGE, detail)
        version, method = self.parser.get_http_version(), self.parser.get_method().decode()
        host, expects_continue = check_head(version, method, self.headers)
        if self.parser.should_upgrade():
            return  # it comes again, without the wish
        path, query = split_target(self.url, host)
        self.scope["http_version"], self.scope["method"] = version, method
        self._name_target(path, query)
        self._stage = _Stage.BODY
        self._body_size = 0
        is_modern = version == "1.1"
        self._latest = self._exchange(
            expect_100_continue=expects_continue and is_modern,
            keep_alive=is_modern and self.parser.should_keep_alive(),
        )
        self._answer_in_turn(self._latest)

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        exchange = self._latest
        if exchange is None or exchange.response_complete:
            return
        exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        exchange = self._latest
        if exchange is None or self.parser.should_upgrade():
            return
        if len(self._in_turn) >= _PIPELINED_MOST:
            exchange.keep_alive = False
        exchange.more_body = False
        exchange.message_event.set()
        self._stage = _Stage.NOTHING if exchange.keep_alive else _Stage.END

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        answered, self._answered = self._answered, None
        if answered is self._latest and self._stage is _Stage.NOTHING:
            self._latest = None
        if self.transport.is_closing() or answered is None:
            return
        if answered.is_last:
            if answered.expects_more:
                self._close()
            else:
                self._close_at_once()
            return
        self.flow.resume_reading()
        if self._in_turn:
            following, *others = self._in_turn
            self._in_turn = tuple(others)
            self._answer(following)
        elif self._stage is _Stage.NOTHING:
            self._deadline.set(self.options.keep_alive_timeout)

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade(data[upgrade.args[0] :])
            except httptools.HttpParserError as error:
                reason = error.__context__
                if isinstance(reason, Rejection):
                    self._refuse(reason)
                elif not isinstance(reason, _NothingMore):
                    self._refuse(malformed(str(error)))
                return

    def _without_upgrade(self, rest: bytes) -> bytes:
        """Answer what is to be parsed again: the head without a wish for another protocol.

        The parser would take what follows it for that protocol, be it a body.
        """
        kept = [field for field in self.headers if field[0] != b"upgrade"]
        version = self.parser.get_http_version().encode()
        request_line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
        head = b"".join([request_line, *(b"%b: %b\r\n" % field for field in kept)])
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        return head + b"\r\n" + rest

    def _name_target(self, path: bytes, query: bytes) -> None:
        self.scope["path"] = unquote(path.decode("ascii"))
        self.scope["raw_path"] = path
        self.scope["query_string"] = query

    def _exchange(self, *, expect_100_continue: bool, keep_alive: bool) -> Exchange:
        return Exchange(
            scope=self.scope,
            transport=self._outgoing,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _answer_in_turn(self, exchange: Exchange) -> None:
        if self._answered is None:
            self._answer(exchange)
        else:
            self.flow.pause_reading()
            self._in_turn += (exchange,)

    def _answer(self, exchange: Exchange) -> None:
        self._answered = exchange
        self._start_asgi_task(exchange, self.app)

    # What clients may not:

    def _check_received(self) -> None:
        most = self.options.max_header_bytes
        if self._stage is _Stage.HEAD and self._received > most:
            self._refuse(self._head_too_large(HEADERS_TOO_LARGE))
        elif self._stage is _Stage.BODY:
            if self._received > most + _OVERHEAD * self._body_size:
                self._refuse(malformed("there is more around the body's chunks than in them"))

    def _head_too_large(self, problem_type: ProblemType) -> Rejection:
        most = self.options.max_header_bytes
        return Rejection(problem_type, f"The head has more than {most} bytes.")

    def _set_deadline(self) -> None:
        self._deadline.set(self._patience())

    def _patience(self) -> float | None:
        match self._stage:
            case _Stage.HEAD:
                return self.options.header_timeout
            case _Stage.BODY:
                return self.options.body_timeout
            case _Stage.NOTHING if self._answered is None:
                is_new = self._requests == 0
                options = self.options
                return options.header_timeout if is_new else options.keep_alive_timeout
            case _Stage.END if self._lingers:
                return _LINGER
        return None

    def _be_late(self) -> None:
        """Refuse what has not arrived, unless it is not the client whom it waits for."""
        if self._patience() is None:
            return  # it is the service's turn
        waits = self._latest is not None and self._latest.waiting_for_100_continue
        if self._stage in (_Stage.NOTHING, _Stage.END):
            self._close_at_once()
        elif self.flow.read_paused or (self._stage is _Stage.BODY and waits):
            self._set_deadline()
        else:
            what = "head" if self._stage is _Stage.HEAD else "body"
            detail = f"The {what} was not complete after {self._patience():g} seconds."
            self._refuse(Rejection(REQUEST_TIMEOUT, detail))

    def _refuse(self, rejection: Rejection) -> None:
        is_under_way = self._stage is _Stage.BODY
        self._stage = _Stage.END
        self._set_deadline()
        if not is_under_way:
            self.scope["method"] = self.parser.get_method().decode() if self.url else "-"
            self._name_target(self.url.partition(b"?")[0][:_PATH_TOLD] or b"/", b"")
            self.scope["state"][REFUSAL] = rejection
            exchange = self._exchange(expect_100_continue=False, keep_alive=False)
            exchange.more_body = False
            self._answer_in_turn(exchange)
        elif self._latest is None or self._latest.response_complete:
            self._close()
        else:
            self._latest.refuse(rejection)

    def _turn_away(self) -> None:
        self.cut_off("max_connections")
        now = self.loop.time()
        if now - self._warned >= _WARNED_AGAIN:
            type(self)._warned = now
            most = self.options.max_connections
            _log.warning("more than %d connections: TODOAPP_MAX_CONNECTIONS is reached", most)
        if len(self.connections) > self.options.max_connections + _TURNED_AWAY_MOST:
            self.transport.abort()
        else:
            self.transport.write(self._too_many)
            self._close()

    # How connections end:

    def _close(self) -> None:
        """Close once the client does, or soon.

        If something of it was not read, closing at once would take the answer from it.
        """
        self._stage = _Stage.END
        self.flow.resume_reading()
        self._outgoing.write_eof()
        self._lingers = True
        self._set_deadline()

    def _close_at_once(self) -> None:
        self._outgoing.close()
        self._delivery.watch()


def connections(
    limits: ConnectionOptions, on_cut_off: Callable[[str], None]
) -> type[Connection]:
    """Answer the connections of a service with these limits, which tells whom they end."""
    response = problem_response(
        HTTPConnection({"type": "http"}),
        Rejection(
            OVERLOADED,
            "As many connections are open as may be at the same time.",
            headers={"Connection": "close"},
        ),
    )
    status = HTTPStatus(response.status_code)
    fields = [b"%b: %b\r\n" % field for field in response.raw_headers + SECURITY_HEADERS]
    status_line = f"HTTP/1.1 {status:d} {status.phrase}\r\n".encode("ascii")
    answer = b"".join([status_line, *fields, b"\r\n", bytes(response.body)])

    class LimitedConnection(Connection):
        options = limits
        _turns = Turns()
        _too_many = answer

        def cut_off(self, limit: str) -> None:
            on_cut_off(limit)

    return LimitedConnection
