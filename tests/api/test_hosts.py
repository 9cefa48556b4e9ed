"""Which names the service goes by: a page whose own name leads here gets nothing."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from myapp.infrastructure.api.hosts import Hosts
from tests.api.answers import assert_problem
from tests.api.applications import build_app, open_client

NAMES = ("todo.example", "*.todo.example", "[2001:db8::1]", "192.0.2.7")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Answer a client of an application that goes by these names, under a prefix."""
    folder = tmp_path_factory.mktemp("named")
    app = build_app(f"pickle:///{folder}/todos", allowed_hosts=NAMES, api_prefix="/api")
    with open_client(app) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "todo.example",
        "todo.example:8080",
        "todo.example:",
        "todo.example.",
        "todo.example.:443",
        "TODO.Example",
        "a.todo.example",
        "a.b.todo.example:80",
        "[2001:db8::1]",
        "[2001:DB8::1]:8080",
        "[2001:db8:0:0:0:0:0:1]",
        "192.0.2.7",
        "192.0.2.7:65535",
    ],
)
def test_it_answers_to_its_names_however_they_are_written(named: TestClient, host: str) -> None:
    assert named.get("/todo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "example",
        "evil.example",
        "eviltodo.example",
        "todo.example.evil.example",
        "todo.example..",
        ".todo.example",
        "..todo.example",
        "todo.example@evil.example",
        "todo.example/",
        "todo.example:80:80",
        "todo.example:port",
        "todo.example, evil.example",
        "todo example",
        "*.todo.example",
        "*",
        "[2001:db8::2]",
        "[2001:db8::1",
        "2001:db8::1",
        "[]",
        "192.0.2.8",
        "192.0.519",
    ],
)
def test_it_does_not_answer_to_others(named: TestClient, host: str) -> None:
    problem = assert_problem(named.get("/todo", headers={"Host": host}), "host-not-allowed")

    assert "TODOAPP_ALLOWED_HOSTS" in problem["detail"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "BREW"])
def test_whatever_is_asked_of_another_host_is_refused(named: TestClient, method: str) -> None:
    response = named.request(method, "/nothing", headers={"Host": "evil.example"})

    assert_problem(response, "host-not-allowed")


@pytest.mark.parametrize("path", ["/health/live", "/api/health/ready"])
def test_its_health_is_told_under_any_name(named: TestClient, path: str) -> None:
    """What looks after many services goes by addresses, and learns nothing else."""
    assert named.get(path, headers={"Host": "10.1.2.3:8080"}).status_code == 200


def test_a_star_stands_for_any_name_that_is_one(tmp_path: Path) -> None:
    app = build_app(f"pickle:///{tmp_path}/todos", allowed_hosts=("*",))

    with open_client(app) as client:
        for host, status in (("whatever.example:1", 200), ("10.1.2.3", 200), ("a b", 421)):
            assert client.get("/todo", headers={"Host": host}).status_code == status


def test_what_nobody_is_called_is_not_remembered() -> None:
    hosts = Hosts(["localhost"])
    tracemalloc.start()
    try:
        assert not any(hosts.include(b"a" * length) for length in range(200_000, 200_005))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000
