"""Many requests that come at once: their answers leave together, and each is whole."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.raw_http import answers, connected, head, post, read_all
from tests.e2e.running_server import RunningServer, serving

_CLIENTS = 8
_TOGETHER = [head("GET /health/live"), post(b'{"content": "x"}'), head("GET /tags")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service that all these tests share."""
    with serving(tmp_path_factory.mktemp("service")) as server:
        yield server


@pytest.mark.parametrize("last", [b"", head("GET /todo", "Connection: close")])
def test_all_that_came_at_once_is_answered_in_order_whoever_closes(
    service: RunningServer, last: bytes
) -> None:
    """The service, stopped while they are sent, finds all of them in one turn of its loop."""
    expected = [200, 201, 200, *([200] if last else [])]
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(service)) for _ in range(_CLIENTS)]
        os.kill(service.pid, signal.SIGSTOP)
        try:
            for client in clients:
                client.sendall(b"".join(_TOGETHER) + last)
                if not last:
                    client.shutdown(socket.SHUT_WR)
        finally:
            os.kill(service.pid, signal.SIGCONT)
        received = [read_all(client) for client in clients]

    assert [[answer.status for answer in answers(each)] for each in received] == (
        [expected] * _CLIENTS
    )
