"""The metrics of several processes, as one service has them."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.running_server import (
    COMMAND_LINE,
    Launcher,
    RunningServer,
    launching,
    wait_until,
)
from tests.storages import STORAGE_URLS

TWO = (*COMMAND_LINE, "serve", "--workers", "2")

_REQUESTS = {"route": "/tags", "method": "GET", "status": "200"}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answer a folder with a short name, as the names of sockets below it have to be."""
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture
def launcher(folder: Path) -> Iterator[Launcher]:
    """Answer what starts processes in the folder."""
    with launching(folder / "launcher") as launcher:
        yield launcher


@pytest.fixture
def settings(folder: Path) -> dict[str, str]:
    """Answer the settings of a service that may have several processes."""
    return {"TODOAPP_STORAGE_URL": STORAGE_URLS["sqlite"](folder)}


def scraped(server: RunningServer) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Answer what is told to who asks anew, of whichever worker takes the connection."""
    text = httpx2.get(f"{server.url}/metrics", trust_env=False).raise_for_status().text
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_every_worker_tells_of_all_and_nothing_of_that_stays_behind(
    launcher: Launcher, settings: dict[str, str]
) -> None:
    server = launcher.serve(settings, TWO)
    for _ in range(20):
        httpx2.get(f"{server.url}/tags", trust_env=False).raise_for_status()

    def all_are_counted() -> bool:
        return (_REQUESTS, 20) in scraped(server).get("todo_http_requests", [])

    wait_until(all_are_counted, "every worker has told the others")
    found = [scraped(server) for _ in range(10)]
    assert all((_REQUESTS, 20) in one["todo_http_requests"] for one in found)
    for one in found:
        assert [labels for labels, _ in one["process_open_fds"]] == [
            {"worker": "1"},
            {"worker": "2"},
        ]
    server.stop()
    assert not list(launcher.homes["TMPDIR"].glob("todoapp-*"))
