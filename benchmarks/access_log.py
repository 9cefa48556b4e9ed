"""What the line about each request costs, in microseconds of the processor, against no line.

    python -m benchmarks.access_log

The edge around an application that does nothing, so that nothing hides the difference;
rounds interleaved, medians reported. A line of the standard library's logging with structlog's
processors is measured too: what it would cost to treat these lines like all others.

Bandit warns of subprocesses started from input; what is started here reads the pipe.
"""

import logging
import os
import subprocess  # nosec B404
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

import structlog
import uvloop
from starlette.types import Message, Receive, Scope, Send

from myapp.infrastructure.api.edge import Edge
from myapp.infrastructure.api.handled_request import HandledRequest, RequestObserver
from myapp.infrastructure.api.json_route import JsonRoutes
from myapp.infrastructure.api.limits import Limits
from myapp.infrastructure.api.options import ApiOptions
from myapp.infrastructure.api.origins import Origins
from myapp.infrastructure.api.trace_context import received_trace_id
from myapp.infrastructure.logs.forms import Form, Json, Text
from myapp.infrastructure.logs.line_writer import Output
from myapp.infrastructure.logs.outputs import RotatedFile, Stream
from myapp.infrastructure.logs.setup import AccessLog, LineHandler

ROUNDS = 15
REQUESTS = 1_000


class Case(NamedTuple):
    """Whom requests are told to, and what waits until the lines about them are written."""

    observers: Sequence[RequestObserver]
    flush: Callable[[], None]


class Route:
    """The route that was found."""

    path_format = "/todo/{id}"


class NaiveLog:
    """Logs each request as most do, and waits until the line is written."""

    def __init__(self, descriptor: int) -> None:
        handler = logging.StreamHandler(open(descriptor, "w", closefd=False))
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
            )
        )
        logger = logging.getLogger("naive")
        logger.handlers, logger.propagate = [handler], False
        self._log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            logger,
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def begin(self) -> None:
        """Wait for the end."""

    def end(self, request: HandledRequest) -> None:
        """Log it."""
        self._log.warning("request", **request._asdict())


async def handle(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def receive() -> Message:
    """Answer that there is nothing."""
    return {"type": "http.request", "body": b""}


async def send(_message: Message) -> None:
    """Take what is answered."""


def scope() -> Scope:
    """Answer a request as it stands once a route was found."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/todo/0192b5a2-0000-7000-8000-000000000001",
        "raw_path": b"/todo/0192b5a2-0000-7000-8000-000000000001",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"accept", b"*/*"), (b"user-agent", b"curl")],
        "client": ("127.0.0.1", 50_000),
        "endpoint": handle,
        "route": Route,
        "path_params": {"id": "0192b5a2-0000-7000-8000-000000000001"},
    }


async def measure(case: Case) -> float:
    """Answer the microseconds that a request takes, until all lines are written."""
    origins = Origins(())
    app = Edge(
        handle,
        routes=JsonRoutes(()),
        prefix="",
        limits=Limits(ApiOptions(), origins),
        origins=origins,
        observers=case.observers,
        trace_id_of=received_trace_id,
    )
    scopes = [scope() for _ in range(REQUESTS)]
    begin = process_time()
    for request in scopes:
        await app(request, receive, send)
    case.flush()
    return (process_time() - begin) / REQUESTS * 1e6


async def compare(cases: Mapping[str, Case]) -> dict[str, float]:
    """Answer the median for each case."""
    measured: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            measured[name].append(await measure(case))
    return {name: median(values) for name, values in measured.items()}


def main() -> None:
    """Measure and print."""
    null = open(os.devnull, "wb")
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=null)  # nosec B603 B607
    with tempfile.TemporaryDirectory() as folder, null, reader:
        if reader.stdin is None:
            raise RuntimeError("there is no pipe")
        outputs: dict[str, Output] = {
            "/dev/null": Stream(null.fileno()),
            "a pipe": Stream(reader.stdin.fileno()),
            "a file": RotatedFile(Path(folder) / "log"),
        }
        cases = {"no line": Case([], nothing)} | {
            f"{type(form).__name__} to {name}": written_to(output, form)
            for form in (Json(), Text())
            for name, output in outputs.items()
        }
        cases["structlog's JSON to a pipe"] = Case([NaiveLog(reader.stdin.fileno())], nothing)
        medians = uvloop.run(compare(cases))
        reader.terminate()
    for name, value in medians.items():
        more = value - medians["no line"]
        print(f"{name:28} {value:6.2f} us a request, {more:5.2f} of them for the line")


def written_to(output: Output, form: Form) -> Case:
    """Answer the case of lines of this form that go there."""
    handler = LineHandler(output, form)
    return Case([AccessLog([handler])], handler.flush)


def nothing() -> None:
    """Wait for nothing."""


if __name__ == "__main__":
    main()
