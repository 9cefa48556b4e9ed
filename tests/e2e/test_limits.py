"""What a client may ask of the service, how slowly, and how much at once."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count
from time import sleep

import pytest

from tests.e2e.raw_http import (
    Answer,
    answers,
    connected,
    exchange,
    head,
    post,
    read_all,
    read_answer,
)
from tests.e2e.running_server import (
    PATIENCE,
    SERVE,
    Launcher,
    RunningServer,
    serving,
    wait_until,
)

HEADER_BYTES, QUERY_BYTES, BODY_BYTES = 2_048, 200, 1_000
ENDING = "Connection: close"
APP = "https://app.example"
EVIL = "https://evil.example"
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
CHUNKED_POST = head(
    "POST /todo", "Content-Type: application/json", "Transfer-Encoding: chunked"
)
DRAFT = b'{"content": "x"}'


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service with low limits."""
    with serving(
        tmp_path_factory.mktemp("service"),
        max_header_bytes=f"{HEADER_BYTES}",
        max_query_bytes=f"{QUERY_BYTES}",
        max_body_bytes=f"{BODY_BYTES}",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service that waits for nobody for long."""
    with serving(
        tmp_path_factory.mktemp("service"),
        header_timeout="0.5",
        body_timeout="0.5",
        keep_alive_timeout="0.5",
        send_timeout="0.5",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service with names of its own, which pages of APP may use."""
    with serving(
        tmp_path_factory.mktemp("service"),
        allowed_hosts="todo.example, *.todo.example",
        cors_origins=APP,
    ) as server:
        yield server


def only(given: list[Answer]) -> Answer:
    """Answer the only answer, which has to be the last on its connection.

    Whatever it is, browsers keep it from other pages, and nobody learns what the server is.
    """
    (answer,) = given
    assert answer.headers["connection"] == "close"
    assert answer.headers.items() >= SECURITY_HEADERS.items()
    assert "server" not in answer.headers
    return answer


def head_of(size: int, *fields: str) -> bytes:
    """Answer the head of a request that counts so many bytes."""
    counted = len(b"GET /health/live".removeprefix(b"GET ")) + sum(
        len(field.replace(": ", ":")) + 2 for field in ("Host: localhost", *fields)
    )
    return head("GET /health/live", *fields, "X: " + "x" * (size - counted - len("X:\r\n")))


def test_a_head_may_be_as_large_as_the_limit_and_no_larger(strict: RunningServer) -> None:
    assert only(exchange(strict, head_of(HEADER_BYTES, ENDING))).status == 200
    assert only(exchange(strict, head_of(HEADER_BYTES + 1, ENDING))).problem == (
        "headers-too-large"
    )


def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_large(
    strict: RunningServer,
) -> None:
    parts = [b"x" * 1_024 for _ in range(4)]

    assert only(exchange(strict, b"GET /todo HTTP/1.1\r\nX: ", *parts)).problem == (
        "headers-too-large"
    )


def test_a_target_without_an_end_is_refused_as_one(strict: RunningServer) -> None:
    parts = [b"x" * 1_024 for _ in range(4)]

    assert only(exchange(strict, b"GET /", *parts)).problem == "uri-too-long"


def test_a_request_has_so_many_header_fields_at_most(strict: RunningServer) -> None:
    fields = [f"X{number}: x" for number in range(98)]

    assert only(exchange(strict, head("GET /todo", ENDING, *fields))).status == 200
    assert only(exchange(strict, head("GET /todo", ENDING, "X: x", *fields))).problem == (
        "headers-too-large"
    )


@pytest.mark.parametrize("target", ["/todo?search={}", "/problems/{}"])
def test_a_path_and_a_query_may_be_as_long_as_the_limit(
    strict: RunningServer, target: str
) -> None:
    for longer, problem in ((0, None), (1, "uri-too-long")):
        size = QUERY_BYTES + longer - len(target.partition("?")[2] or target) + len("{}")
        request = head(f"GET {target.format('x' * size)}", ENDING)

        answer = only(exchange(strict, request))

        assert (answer.status == 414) == (problem is not None)
        assert problem is None or answer.problem == problem


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(strict: RunningServer) -> None:
    for longer, status in ((0, 201), (1, 413)):
        body = DRAFT.ljust(BODY_BYTES + longer)

        assert only(exchange(strict, post(body, ENDING))).status == status


def test_a_body_that_is_too_large_is_no_next_request(strict: RunningServer) -> None:
    """It is refused before all of it has come, and the rest is read for nothing."""
    body = (head("DELETE /todo") * 100)[: 2 * BODY_BYTES]
    request = post(body)
    with connected(strict) as connection:
        connection.sendall(request[:-100])
        assert read_answer(connection).problem == "content-too-large"

        connection.sendall(request[-100:] + head("GET /health/live", ENDING))

        assert read_answer(connection).status == 200
        assert read_all(connection) == b""


def test_a_body_that_is_too_large_is_not_sent_for(strict: RunningServer) -> None:
    request = post(DRAFT.ljust(BODY_BYTES + 1), "Expect: 100-continue")

    answer = only(exchange(strict, request[: -BODY_BYTES - 1]))

    assert answer.problem == "content-too-large"


def test_what_follows_a_body_counts_as_head(strict: RunningServer) -> None:
    trailer = b"0\r\n" + b"X: x\r\n" * 1_000 + b"\r\n"

    assert only(exchange(strict, CHUNKED_POST + trailer)).problem == "headers-too-large"


def test_chunks_may_not_be_made_of_anything_but_their_content(strict: RunningServer) -> None:
    parts = [b"x" * 65_536 for _ in range(16)]

    assert only(exchange(strict, CHUNKED_POST, b"1;", *parts)).problem == "malformed-request"


def test_a_body_may_come_byte_by_byte(strict: RunningServer) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in DRAFT.ljust(BODY_BYTES)) + b"0\r\n\r\n"

    with connected(strict) as connection:
        connection.sendall(CHUNKED_POST + chunks)
        assert read_answer(connection).status == 201


SLOW_HEADS = {"a head": b"GET /todo HTTP/1.1\r\n", "a request line": b"G"}


@pytest.mark.parametrize("beginning", SLOW_HEADS.values(), ids=SLOW_HEADS.keys())
def test_a_head_that_does_not_arrive_is_not_waited_for(
    impatient: RunningServer, beginning: bytes
) -> None:
    assert only(exchange(impatient, beginning)).problem == "request-timeout"


def test_a_client_that_never_asks_is_not_answered(impatient: RunningServer) -> None:
    assert exchange(impatient, b"") == []


def test_a_client_that_asks_no_more_is_not_answered_again(impatient: RunningServer) -> None:
    assert [answer.status for answer in exchange(impatient, head("GET /todo"))] == [200]


def test_a_second_head_that_does_not_arrive_is_not_waited_for(impatient: RunningServer) -> None:
    first, second = exchange(impatient, head("GET /todo") + b"GET /todo HTTP/1.1\r\n")

    assert first.status == 200
    assert only([second]).problem == "request-timeout"


def test_bytes_that_trickle_in_are_not_waited_for(impatient: RunningServer) -> None:
    """Each of them comes in time, all of them together do not."""
    assert only(trickle(impatient, b"GET /todo HTTP/1.1\r\nX: ")).problem == "request-timeout"
    assert only(trickle(impatient, post(b"[" * 1_000)[:-900])).problem == "request-timeout"


BODIES = {"of a length": post(DRAFT)[:-5], "in chunks": CHUNKED_POST + b"5\r\nab"}


@pytest.mark.parametrize("request_bytes", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_does_not_arrive_is_not_waited_for(
    impatient: RunningServer, request_bytes: bytes
) -> None:
    named = request_bytes.replace(b"\r\n", b"\r\nX-Request-Id: slow\r\n", 1)

    answer = only(exchange(impatient, named))

    assert answer.problem == "request-timeout"
    assert answer.headers["x-request-id"] == "slow"
    wait_until(lambda: bool(lines(impatient, "slow")), "it is logged")
    assert all("408" in line for line in lines(impatient, "slow"))


def test_a_body_that_nobody_wants_is_not_waited_for_either(impatient: RunningServer) -> None:
    (answer,) = exchange(impatient, head("GET /todo", "Content-Length: 10"))

    assert answer.status == 200


def test_a_stream_with_a_body_that_does_not_arrive_ends(impatient: RunningServer) -> None:
    with connected(impatient) as connection:
        connection.sendall(head("GET /todo/events", "Content-Length: 10"))

        received = read_all(connection)

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_answer_may_take_longer_than_a_client(impatient: RunningServer) -> None:
    with connected(impatient) as stream:
        stream.sendall(head("GET /todo/events"))
        assert stream.recv(1_024).startswith(b"HTTP/1.1 200 OK\r\n")
        sleep(1.2)  # twice as long as a connection may be idle

        exchange(impatient, post(DRAFT, ENDING))

        wait_until(lambda: b"event: " in stream.recv(65_536), "the stream goes on")


@pytest.mark.parametrize("late", [b"", b"x" * 10], ids=["in time", "before its body came"])
def test_a_client_that_was_answered_may_take_its_time(
    launcher: Launcher, settings: dict[str, str], late: bytes
) -> None:
    short = {"TODOAPP_HEADER_TIMEOUT": "0.5", "TODOAPP_BODY_TIMEOUT": "0.5"}
    server = launcher.serve(settings | short)
    with connected(server) as connection:
        connection.sendall(head("GET /todo", f"Content-Length: {len(late)}"))
        assert read_answer(connection).status == 200
        connection.sendall(late)
        sleep(1.2)  # twice as long as a request may take

        connection.sendall(head("GET /todo"))

        assert read_answer(connection).status == 200


def test_a_client_that_does_not_read_its_answers_is_cut_off(impatient: RunningServer) -> None:
    """What it asks for is answered until nothing more can be sent, and then no more."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", impatient.port))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:  # each answer is a hundred thousand bytes
                connection.sendall(head("GET /openapi.json"))
    (metrics,) = exchange(impatient, head("GET /metrics", ENDING))
    assert b'_cut_off_total{limit="send_timeout"} 1.0\n' in metrics.body


def test_beyond_so_many_connections_there_is_a_problem(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | {"TODOAPP_MAX_CONNECTIONS": "2"})
    with ExitStack() as stack:
        first, _ = (stack.enter_context(connected(server)) for _ in range(2))
        first.sendall(head("GET /todo"))
        assert read_answer(first).status == 200

        answer = only(exchange(server, head("GET /todo")))

        assert answer.problem == "overloaded"
        assert answer.headers["retry-after"] == "1"
        first.sendall(head("GET /metrics"))
        assert b'_cut_off_total{limit="max_connections"} 1.0\n' in read_answer(first).body
        first.close()
        wait_until(lambda: served(server), "there is room again")


@pytest.mark.usefixtures("many_files")
def test_far_beyond_so_many_connections_there_is_nothing(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | {"TODOAPP_MAX_CONNECTIONS": "1"})
    with ExitStack() as stack:
        stack.enter_context(connected(server))

        told = next(
            number for number in count() if not read_all(stack.enter_context(connected(server)))
        )

    assert told >= 256
    assert len(lines(server, "TODOAPP_MAX_CONNECTIONS")) == 1


def test_where_fewer_files_may_be_open_than_it_takes_a_warning_says_so(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    few = ("sh", "-c", 'ulimit -n 300 && exec "$@"', "sh", *SERVE)

    server = launcher.serve(settings | {"TODOAPP_MAX_CONNECTIONS": "100"}, few)

    (line,) = lines(server, "TODOAPP_MAX_CONNECTIONS=100")
    assert "no more than 300 files" in line


def test_beyond_so_many_requests_there_is_a_problem(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings | {"TODOAPP_MAX_REQUESTS": "1"})
    with connected(server) as busy, connected(server) as stream:
        busy.sendall(post(DRAFT, "Expect: 100-continue").removesuffix(DRAFT))
        assert busy.recv(1_024).startswith(b"HTTP/1.1 100 ")

        (answer,) = exchange(server, head("GET /todo", ENDING))
        stream.sendall(head("GET /todo/events"))

        assert answer.problem == "overloaded"
        assert answer.headers["retry-after"] == "1"
        assert stream.recv(1_024).startswith(b"HTTP/1.1 200 OK\r\n")
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert only(exchange(server, head(f"GET {path}", ENDING))).status == 200
        busy.sendall(DRAFT)
        assert read_answer(busy).status == 201
        wait_until(lambda: served(server), "there is room again")


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("todo.example", None),
        ("A.Todo.Example:8080", None),
        ("evil.example", "host-not-allowed"),
        ("todo.example.evil.example", "host-not-allowed"),
        ("localhost", "host-not-allowed"),
    ],
)
def test_the_service_answers_to_the_names_that_it_was_given(
    named: RunningServer, host: str, problem: str | None
) -> None:
    answer = only(exchange(named, head("GET /tags", ENDING, host=host)))

    assert answer.status == (421 if problem else 200)
    assert problem is None or answer.problem == problem


@pytest.mark.parametrize(("origin", "is_named"), [(APP, True), (EVIL, False)])
def test_only_pages_that_are_named_may_change_and_read(
    named: RunningServer, origin: str, is_named: bool
) -> None:
    asking = (ENDING, f"Origin: {origin}")

    added = only(exchange(named, post(DRAFT, *asking, host="todo.example")))
    listed = only(exchange(named, head("GET /tags", *asking, host="todo.example")))

    assert added.status == 201 if is_named else added.problem == "cross-site-request"
    allowed = listed.headers.get("access-control-allow-origin")
    assert allowed == (origin if is_named else None)


def test_unless_pages_are_named_none_may(strict: RunningServer) -> None:
    origin = f"Origin: {APP}"

    assert only(exchange(strict, post(DRAFT, ENDING, origin))).problem == "cross-site-request"
    answer = only(exchange(strict, head("GET /tags", ENDING, origin)))
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("trusted", "client"), [("127.0.0.0/8", "203.0.113.7"), ("10.0.0.1", "127.0.0.1")]
)
def test_only_a_proxy_that_is_named_is_believed_whom_it_serves(
    launcher: Launcher, settings: dict[str, str], trusted: str, client: str
) -> None:
    believed = {"TODOAPP_TRUSTED_PROXIES": trusted, "FORWARDED_ALLOW_IPS": "*"}
    server = launcher.serve(settings | believed)
    forwarded = ("X-Forwarded-For: 192.0.2.1, 203.0.113.7", "X-Request-Id: by-way")

    exchange(server, head("GET /todo", ENDING, *forwarded))

    wait_until(lambda: bool(lines(server, "by-way")), "it is logged")
    (line,) = lines(server, "by-way")
    assert client in line
    assert "192.0.2.1" not in line


def trickle(server: RunningServer, beginning: bytes) -> list[Answer]:
    """Send a beginning and then a byte now and then; answer all answers."""
    with connected(server) as connection, suppress(ConnectionError):
        connection.sendall(beginning)
        connection.settimeout(0.05)
        received = b""
        while True:
            with suppress(TimeoutError):
                chunk = connection.recv(65_536)
                received += chunk
                if not chunk:
                    break
            connection.sendall(b"x")
    return list(answers(received))


def served(server: RunningServer) -> bool:
    """Whether a request is served now."""
    return [answer.status for answer in exchange(server, head("GET /todo", ENDING))] == [200]


def lines(server: RunningServer, name: str) -> list[str]:
    """Answer the lines of the log about the request of this name."""
    return [line for line in server.err.read_text("utf-8").splitlines() if name in line]
