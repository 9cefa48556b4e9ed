"""Bytes that a proxy and the service might take for different requests: never for two."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.raw_http import Answer, connected, exchange, head, post, read_all, read_answer
from tests.e2e.running_server import RunningServer, serving, wait_until

CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = head("DELETE /todo")  # what somebody would like to be taken for a request


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service that all these tests share."""
    with serving(tmp_path_factory.mktemp("service")) as server:
        yield server


def adding(*fields: str, body: bytes = b"0\r\n\r\n") -> bytes:
    return head("POST /todo", "Content-Type: application/json", *fields) + body


def assert_refused(given: list[Answer], problem: str = "malformed-request") -> None:
    """Fail unless there is one answer, which tells the problem, and is the last."""
    (answer,) = given
    assert answer.problem == problem
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


AMBIGUOUS = {
    "a length and chunks": adding("Content-Length: 5", CHUNKED),
    "chunks and a length": adding(CHUNKED, "Content-Length: 5"),
    "two lengths": adding("Content-Length: 5", "Content-Length: 6"),
    "the same length twice": adding("Content-Length: 5", "Content-Length: 5"),
    "a list of lengths": adding("Content-Length: 5, 5"),
    "a length with a sign": adding("Content-Length: +5"),
    "a negative length": adding("Content-Length: -5"),
    "a length in another base": adding("Content-Length: 0x5"),
    "an empty length": adding("Content-Length: "),
    "a length beyond all numbers": adding("Content-Length: 99999999999999999999999"),
    "an unknown coding": adding("Transfer-Encoding: xchunked"),
    "a coding before chunks": adding("Transfer-Encoding: gzip, chunked"),
    "a coding after chunks": adding("Transfer-Encoding: chunked, identity"),
    "chunks in chunks": adding("Transfer-Encoding: chunked, chunked"),
    "codings in two lines": adding("Transfer-Encoding: identity", CHUNKED),
    "chunked in quotes": adding('Transfer-Encoding: "chunked"'),
    "chunked after a vertical tab": adding("Transfer-Encoding: \x0bchunked"),
    "a space before the colon": adding("Transfer-Encoding : chunked"),
    "a folded line": adding("Transfer-Encoding:\r\n chunked"),
    "a folded value": adding("X: a\r\n b", CHUNKED),
    "a line that begins with a space": head("GET /todo", " X: a"),
    "a bare line feed": head("GET /todo", "X: a\nY: b"),
    "a bare carriage return": head("GET /todo", "X: a\rY: b"),
    "bare line feeds only": b"GET /todo HTTP/1.1\nHost: localhost\n\n",
    "a NUL": head("GET /todo", "X: a\0b"),
    "a name with a control character": head("GET /todo", "X\x01: a"),
    "no name": head("GET /todo", ": a"),
    "no colon": head("GET /todo", "X"),
    "chunks in HTTP/1.0": adding(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no host": head("GET /todo", host=""),
    "two hosts": head("GET /todo", "Host: localhost"),
    "another host in the target": head("GET http://elsewhere/todo"),
    "another port in the target": head("GET http://localhost:81/todo"),
    "a user in the target": head("GET http://localhost@elsewhere/todo"),
    "a target of another scheme": head("GET ftp://localhost/todo"),
    "a fragment in the target": head("GET /todo#there"),
    "a space in the target": head("GET /to do"),
    "bytes beyond ASCII in the target": head("GET /todo\xff"),
    "no path": head("GET todo"),
    "a method in small letters": head("get /todo"),
    "an unknown method": head("BREW /todo"),
    "a space before the method": b" " + head("GET /todo"),
    "a tab after the method": b"GET\t/todo HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a wish for a tunnel": head("CONNECT localhost:443"),
    "HTTP/0.9": b"GET /todo\r\n\r\n",
    "HTTP/1.2": head("GET /todo").replace(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/2.0": head("GET /todo").replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("request_bytes", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_could_mean_two_things_means_none(
    service: RunningServer, request_bytes: bytes
) -> None:
    assert_refused(exchange(service, request_bytes + HIDDEN))


CHUNKS = {
    "a bare line feed after the size": b"1\na\r\n0\r\n\r\n",
    "a bare carriage return after the size": b"1\ra\r\n0\r\n\r\n",
    "a space after the size": b"1 \r\na\r\n0\r\n\r\n",
    "a bare line feed in an extension": b"1;a=\nb\r\na\r\n0\r\n\r\n",
    "more than the size tells": b"1\r\nab\r\n0\r\n\r\n",
    "a size with a sign": b"+1\r\na\r\n0\r\n\r\n",
    "a size with a prefix": b"0x1\r\na\r\n0\r\n\r\n",
    "a size beyond all numbers": b"ffffffffffffffffff\r\na\r\n0\r\n\r\n",
    "no size": b"\r\na\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
def test_chunks_that_could_end_elsewhere_end_the_connection(
    service: RunningServer, chunks: bytes
) -> None:
    assert_refused(exchange(service, adding(CHUNKED, body=chunks) + HIDDEN))


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_a_wish_for_another_protocol_is_not_granted(
    service: RunningServer, protocol: str
) -> None:
    """The body belongs to the request, not to the other protocol, and is no next request."""
    wish = post(b'{"content": "x"}', "Connection: Upgrade", f"Upgrade: {protocol}")
    with connected(service) as connection:
        connection.sendall(wish[:-5])
        connection.sendall(wish[-5:] + head("GET /health/live", "Connection: close"))

        first, second = read_answer(connection), read_answer(connection)

        assert (first.status, second.status) == (201, 200)
        assert read_all(connection) == b""


@pytest.mark.parametrize(
    "wish",
    [
        b"GET /health/live HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        head("GET /todo", "Connection: close, Upgrade", "Upgrade: h2c") + HIDDEN,
    ],
    ids=["in HTTP/1.0", "in the last request"],
)
def test_what_wishes_for_another_protocol_stays_what_it_is(
    service: RunningServer, wish: bytes
) -> None:
    (answer,) = exchange(service, wish)

    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_a_target_with_the_hosts_own_name_is_its_path(service: RunningServer) -> None:
    absolute = head("GET http://LOCALHOST/health/live?", "Connection: close")

    assert [answer.status for answer in exchange(service, absolute)] == [200]


def test_http_1_0_needs_no_host_and_is_closed(service: RunningServer) -> None:
    old = b"GET /health/live HTTP/1.0\r\n\r\n"

    assert [answer.status for answer in exchange(service, old + HIDDEN)] == [200]


def test_what_follows_the_last_request_is_not_looked_at(service: RunningServer) -> None:
    (answer,) = exchange(service, head("GET /todo", "Connection: close") + HIDDEN)

    assert answer.status == 200


def test_a_body_that_is_not_wanted_is_no_next_request(service: RunningServer) -> None:
    refused = head("POST /todo", "Content-Type: text/plain", f"Content-Length: {len(HIDDEN)}")
    with connected(service) as connection:
        connection.sendall(refused)
        assert read_answer(connection).problem == "unsupported-media-type"

        connection.sendall(HIDDEN + head("GET /health/live"))

        assert read_answer(connection).status == 200


def test_a_body_that_was_not_sent_for_is_no_next_request(service: RunningServer) -> None:
    """The client may send it or not, after such an answer: nobody knows what follows."""
    refused = head("POST /todo", "Content-Length: 100", "Expect: 100-continue")

    assert_refused(exchange(service, refused + HIDDEN), "unsupported-media-type")


def test_a_body_that_is_waited_for_is_sent_for(service: RunningServer) -> None:
    request = post(b'{"content": "x"}', "Expect: 100-continue", "Connection: close")
    with connected(service) as connection:
        connection.sendall(request[:-16])
        assert connection.recv(1_024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(request[-16:])

        assert read_answer(connection).status == 201


def test_what_follows_a_body_is_no_header_of_the_request(service: RunningServer) -> None:
    trailed = b"10\r\n" + b'{"content": "x"}' + b"\r\n0\r\nX-Request-Id: late\r\n\r\n"

    (answer,) = exchange(service, adding(CHUNKED, "Connection: close", body=trailed))

    assert answer.status == 201
    assert answer.headers["x-request-id"] != "late"


def test_an_error_waits_for_its_turn(service: RunningServer) -> None:
    first, second = exchange(service, head("GET /health/live") + head("BREW /todo") + HIDDEN)

    assert first.status == 200
    assert_refused([second])


def test_requests_are_answered_in_their_order(service: RunningServer) -> None:
    requests = [head("GET /todo", f"X-Request-Id: {number}") for number in range(20)]
    with connected(service) as connection:
        connection.sendall(b"".join(requests))

        names = [read_answer(connection).headers["x-request-id"] for _ in requests]

    assert names == [f"{number}" for number in range(20)]


def test_a_flood_of_requests_is_answered_up_to_a_point(service: RunningServer) -> None:
    flood = head("GET /health/live") * 1_000

    given = exchange(service, flood)

    assert 0 < len(given) < 200
    assert {answer.status for answer in given} == {200}
    assert [answer.headers.get("connection") for answer in given[-2:]] == [None, "close"]


def test_no_answer_tells_what_the_server_is(service: RunningServer) -> None:
    (served,) = exchange(service, head("GET /todo", "Connection: close"))
    (refused,) = exchange(service, head("BREW /todo"))

    assert "server" not in served.headers and "server" not in refused.headers


def test_by_default_the_service_goes_by_the_names_of_this_machine(
    service: RunningServer,
) -> None:
    def statuses(host: str) -> list[int]:
        request = head("GET /todo", "Connection: close", host=host)
        return [answer.status for answer in exchange(service, request)]

    for host in ("localhost", f"localhost:{service.port}", "127.0.0.1", "[::1]:8080"):
        assert statuses(host) == [200]
    for host in ("elsewhere.example", f"elsewhere.example:{service.port}", "localhost.example"):
        assert statuses(host) == [421]


def test_a_client_that_goes_on_reading_is_served(service: RunningServer) -> None:
    with connected(service) as connection:
        connection.sendall(head("GET /openapi.json") * 20)
        documents = [read_answer(connection).body for _ in range(20)]

    assert json.loads(documents[-1])["openapi"].startswith("3.1")


def test_what_was_refused_is_in_the_log_under_the_name_that_the_client_is_told(
    service: RunningServer,
) -> None:
    (answer,) = exchange(service, head("GET /todo", "Host: localhost"))

    name = answer.headers["x-request-id"]
    wait_until(lambda: name in service.err.read_text("utf-8"), "it is logged")
    (line,) = (line for line in service.err.read_text("utf-8").splitlines() if name in line)
    assert "400" in line
