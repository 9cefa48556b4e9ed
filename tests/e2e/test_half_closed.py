"""Clients that send no more, and may wait for what they asked for, or have gone away."""

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.raw_http import answers, connected, head, post, read_all, read_answer
from tests.e2e.running_server import RunningServer, serving, wait_until

DRAFT = b'{"content": "x"}'
STREAM = head("GET /todo/events")
CHUNKED_POST = head(
    "POST /todo", "Content-Type: application/json", "Transfer-Encoding: chunked"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service that all these tests share, of which none may leave a connection open.

    There may be one, and it may be idle for longer than a test may take.
    """
    with serving(
        tmp_path_factory.mktemp("service"), max_connections="1", send_timeout="0.5"
    ) as server:
        yield server


def ask_all(server: RunningServer, requests: bytes) -> bytes:
    """Send the requests and that nothing follows; answer what comes until the server closes."""
    with connected(server) as connection:
        connection.sendall(requests)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head("GET /todo"), 200),
        (head("GET /todo").replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
        (post(DRAFT), 201),
        (CHUNKED_POST + b"10\r\n" + DRAFT + b"\r\n0\r\n\r\n", 201),
    ],
    ids=["a get", "in HTTP/1.0", "a post", "a post in chunks"],
)
def test_who_sends_no_more_is_answered(
    service: RunningServer, request_bytes: bytes, status: int
) -> None:
    for _ in range(3):
        (answer,) = answers(ask_all(service, request_bytes))

        assert answer.status == status


def test_who_sends_no_more_is_answered_all_requests_in_their_order(
    service: RunningServer,
) -> None:
    requests = [head("GET /todo", f"X-Request-Id: {number}") for number in range(20)]

    given = answers(ask_all(service, b"".join(requests)))

    names = [answer.headers["x-request-id"] for answer in given]
    assert names == [f"{number}" for number in range(20)]


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(DRAFT)[:-5],
        post(DRAFT).removesuffix(DRAFT),
        CHUNKED_POST + b"10\r\n" + DRAFT + b"\r\n",
    ],
    ids=["of a length", "not begun", "in chunks"],
)
def test_a_body_that_breaks_off_is_refused(
    service: RunningServer, request_bytes: bytes
) -> None:
    (answer,) = answers(ask_all(service, request_bytes))

    assert answer.problem == "malformed-request"
    assert answer.headers["connection"] == "close"
    assert b"broke off" in answer.body


@pytest.mark.parametrize("beginning", [b"", b"G", head("GET /todo")[:-2]])
def test_what_is_no_whole_head_is_not_answered(
    service: RunningServer, beginning: bytes
) -> None:
    assert ask_all(service, beginning) == b""

    (answer,) = answers(ask_all(service, head("GET /todo") + beginning))

    assert answer.status == 200


def test_what_was_refused_stays_the_last_answer(service: RunningServer) -> None:
    first, second = answers(ask_all(service, head("GET /todo") + head("BREW /todo")))

    assert first.status == 200
    assert second.problem == "malformed-request"


def test_who_was_answered_and_asks_no_more_is_let_go_at_once(service: RunningServer) -> None:
    with connected(service) as connection:
        connection.sendall(head("GET /todo"))
        assert read_answer(connection).status == 200

        connection.shutdown(socket.SHUT_WR)

        assert read_all(connection) == b""


@pytest.mark.parametrize("behind", [b"", head("GET /todo")], ids=["alone", "before another"])
def test_the_stream_of_a_client_that_sends_no_more_ends_properly(
    service: RunningServer, behind: bytes
) -> None:
    """It cannot be told from one that has gone away."""
    with connected(service) as connection:
        connection.sendall(STREAM + behind)
        begun = connection.recv(1_024)
        connection.shutdown(socket.SHUT_WR)

        begun += read_all(connection)
    asked_at_once = ask_all(service, STREAM + behind)

    for received in (begun, asked_at_once):
        stream, end, following = received.partition(b"\r\n0\r\n\r\n")
        assert stream.startswith(b"HTTP/1.1 200 OK\r\n")
        assert end
        assert [answer.status for answer in answers(following)] == ([200] if behind else [])


def test_who_goes_away_before_the_answers_leaves_nothing_behind(
    service: RunningServer,
) -> None:
    for requests in (post(DRAFT) * 3, post(DRAFT)[:-5], STREAM, STREAM * 2):
        with connected(service) as connection:
            connection.sendall(requests)

        wait_until(lambda: is_served(service), "there is room again")
    assert "Traceback" not in service.err.read_text("utf-8")


def test_who_neither_sends_nor_reads_is_cut_off(service: RunningServer) -> None:
    with connected(service) as connection:
        connection.sendall(head("GET /openapi.json") * 60)  # more than the system keeps
        connection.shutdown(socket.SHUT_WR)

        wait_until(lambda: is_served(service), "there is room again")
        received = read_all(connection)

    assert received.count(b"HTTP/1.1 200 OK") < 60


def is_served(server: RunningServer) -> bool:
    """Whether a request is served now."""
    (answer,) = answers(ask_all(server, head("GET /todo")))
    return answer.status == 200
