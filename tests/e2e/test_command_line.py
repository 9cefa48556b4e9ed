"""What `myapp` offers beside serving: help, and looking after a storage."""

import json
from pathlib import Path

import pytest

from tests.e2e.running_server import COMMAND_LINE, Ended, Launcher, RunningServer


def storage(launcher: Launcher, settings: dict[str, str], *arguments: str) -> Ended:
    """Run a command that looks after the storage."""
    return launcher.run(settings, (*COMMAND_LINE, "storage", *arguments))


def test_help_names_the_commands(launcher: Launcher) -> None:
    ended = launcher.run({}, (*COMMAND_LINE, "--help"))

    assert (ended.code, ended.err) == (0, "")
    assert "serve" in ended.out
    assert "storage" in ended.out


def test_checking_a_fresh_storage_finds_it_whole_and_empty(
    launcher: Launcher, settings: dict[str, str], folder: Path, server: RunningServer
) -> None:
    server.stop()

    ended = storage(launcher, settings, "check", "--json")

    checked = json.loads(ended.out)
    assert (ended.code, checked["storage"]) == (0, f"pickle:///{folder}")
    assert (checked["entries"], checked["revision"], checked["problems"]) == (0, 0, [])


def test_salvaging_a_fresh_storage_leaves_it_in_order(
    launcher: Launcher, settings: dict[str, str], server: RunningServer
) -> None:
    server.stop()

    ended = storage(launcher, settings, "salvage")

    assert (ended.code, ended.err) == (0, "")
    with launcher.serve(settings).client as client:
        assert client.get("/todo").json() == []


def test_salvaging_a_whole_storage_keeps_every_entry(
    launcher: Launcher, settings: dict[str, str], server: RunningServer
) -> None:
    with server.client as client:
        client.post("/todo", json={"content": "kept"})
    server.stop()

    ended = storage(launcher, settings, "salvage", "--json")

    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["entries"] == 1
    with launcher.serve(settings).client as client:
        assert [entry["content"] for entry in client.get("/todo").json()] == ["kept"]


def test_a_storage_can_be_checked_while_a_service_runs(
    launcher: Launcher, folder: Path, server: RunningServer
) -> None:
    with server.client as client:
        client.post("/todo", json={"content": "kept"})

    ended = storage(launcher, {}, "check", str(folder))

    assert ended.code == 0
    assert "revision          1\nentries           1\n" in ended.out


def test_a_storage_cannot_be_salvaged_while_a_service_runs(
    launcher: Launcher, folder: Path, server: RunningServer
) -> None:
    before = (folder / "todo.journal").read_bytes()

    ended = storage(launcher, {}, "salvage", str(folder))

    assert (ended.code, ended.out) == (1, "")
    assert str(folder) in ended.err
    assert f"pid {server.pid}" in ended.err
    assert "Traceback" not in ended.err
    assert (folder / "todo.journal").read_bytes() == before


@pytest.mark.parametrize("command", ["check", "salvage"])
def test_a_storage_that_is_not_there_is_reported_and_not_made(
    command: str, launcher: Launcher, folder: Path
) -> None:
    ended = storage(launcher, {}, command, str(folder))

    assert (ended.code, ended.out) == (1, "")
    assert str(folder) in ended.err
    assert "Traceback" not in ended.err
    assert not folder.exists()
