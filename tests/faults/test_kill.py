"""Whenever the process is killed, what it acknowledged is there when it starts again.

KILL_ROUNDS sets how often a server is killed: by default a few times, before a release 1,000.
"""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import sleep
from uuid import UUID

import pytest

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.storage import open_storage
from tests.faults import killed_at_each_step, sweeping_server
from tests.faults.killed_at_each_step import CHANGES, ENTRIES, state
from tests.faults.server_process import Json, ServerProcess, ask
from tests.faults.short_ways import (
    DEADLINE,
    QuickDisk,
    all_entries,
    check_history,
    frames_in,
    opened,
    todo,
)
from tests.faults.writing_client import WritingClient
from tests.saving import save_all
from tests.storages import STORAGE_URLS

_ROUNDS = int(os.environ.get("KILL_ROUNDS", "12"))
_SEED = int(os.environ.get("KILL_SEED", "1"))
_CLIENTS = 8
_SHORTEST, _LONGEST = 0.02, 0.4
"""Seconds that clients write before the server is killed."""

_ROOT = Path(__file__).parents[2]
_FIRST = (todo(1, "never touched"), todo(2, "shared"))


async def _fill(url: str) -> tuple[TodoEntry, TodoEntry]:
    """Answer an entry that nobody touches, and one that all clients share."""
    async with open_storage(url) as repository:
        still, shared = await save_all(repository, *_FIRST)
    return still, shared


class _Rounds:
    """Kills a server on the same storage over and over, and keeps the account."""

    def __init__(
        self, folder: Path, still: TodoEntry, shared: TodoEntry, *, url: str = ""
    ) -> None:
        self.wrong: list[str] = []
        self.done = 0
        self._folder = folder
        self._url = url
        self._still = still
        self._shared = str(shared.id)
        self._clients = [WritingClient(n, self._shared, _SEED) for n in range(_CLIENTS)]
        self._revision = shared.revision
        self._random = random.Random(_SEED)

    def kill(self) -> None:
        """Kill a server while the clients write, once it was seen to have what it must."""
        with self._server() as server:
            self._check(server)
            self._write_and_kill(server)
        self.done += 1

    def check(self) -> None:
        """Look at what a server has after the last one was killed."""
        with self._server() as server:
            self._check(server)

    def summary(self) -> str:
        """Answer the account in a line."""
        acknowledged = sum(client.acknowledged for client in self._clients)
        kinds = [what.partition(":")[0] for what in self.wrong]
        return (
            f"{self.done} rounds, {acknowledged} acknowledged writes,"
            f" {kinds.count('lost')} lost, {kinds.count('torn')} torn,"
            f" {kinds.count('never sent')} never sent"
        )

    def _server(self) -> ServerProcess:
        return ServerProcess(self._folder, url=self._url, module=sweeping_server.__name__)

    def _write_and_kill(self, server: ServerProcess) -> None:
        threads = [
            Thread(target=client.write, args=[server], daemon=True) for client in self._clients
        ]
        for thread in threads:
            thread.start()
        sleep(self._random.uniform(_SHORTEST, _LONGEST))
        server.kill()
        for thread in threads:
            thread.join(2 * DEADLINE)
            assert not thread.is_alive()
        for client in self._clients:
            if client.failure is not None:
                raise client.failure
        taken = [revision for client in self._clients for revision in client.revisions]
        assert len(set(taken)) == len(taken), "a revision was given out twice"
        self._revision = max([self._revision, *taken])

    def _check(self, server: ServerProcess) -> None:
        connection = server.connect()
        answer = ask(connection, "GET", "/todo?limit=1000")
        connection.close()
        assert answer.status == 200 and "link" not in answer.headers
        revision = int(answer.headers["etag"].strip('"'))
        assert revision >= self._revision, "the store's revision went back"
        self._revision = revision
        entries: dict[str, Json] = {entry["id"]: entry for entry in answer.body}
        for client in self._clients:
            self.wrong += client.check(entries, revision)
        del entries[self._shared]
        assert entries.pop(str(self._still.id))["revision"] == self._still.revision
        self.wrong += [f"never sent: {entry!r:.400}" for entry in entries.values()]
        assert not self.wrong, "\n".join([*self.wrong, server.log()])


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "storage"
    rounds = _Rounds(folder, *asyncio.run(_fill(f"pickle:///{folder}")))
    journal = folder / JOURNAL
    compactions = 0
    try:
        for _ in range(_ROUNDS):
            before = journal.stat().st_ino
            rounds.kill()
            compactions += journal.stat().st_ino != before
        rounds.check()
    finally:
        with capsys.disabled():
            print(f"\n{rounds.summary()}, {compactions} rounds with a compaction")
    assert compactions
    assert not list(folder.glob("todo.damaged*"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_from_a_database_when_the_server_is_killed(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = STORAGE_URLS[kind](tmp_path)
    rounds = _Rounds(tmp_path / "storage", *asyncio.run(_fill(url)), url=url)
    try:
        for _ in range(max(1, _ROUNDS // 3)):
            rounds.kill()
        rounds.check()
    finally:
        with capsys.disabled():
            print(f"\n{kind}: {rounds.summary()}")


async def test_nothing_acknowledged_is_lost_at_whichever_step_the_process_is_killed(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", killed_at_each_step.__name__, str(tmp_path)]
    await asyncio.to_thread(
        subprocess.run, command, cwd=_ROOT, check=True, timeout=3 * DEADLINE
    )
    folders = sorted(int(path.name) for path in tmp_path.iterdir() if path.is_dir())
    assert len(folders) > 2 * CHANGES
    for number in folders:
        await _check_killed(tmp_path / str(number))
    last = tmp_path / str(folders[-1])
    assert len(frames_in(last)) < CHANGES, "there was no compaction"
    assert f"{ENTRIES - 1} {CHANGES} " in last.with_suffix(".acknowledged").read_text()


async def _check_killed(folder: Path) -> None:
    """Assert that a start finds what the process that used the folder had acknowledged."""
    acknowledged: dict[UUID, int] = {}
    revision = 0
    noted = folder.with_suffix(".acknowledged")
    for line in noted.read_text().splitlines() if noted.exists() else []:
        number, change, revision = map(int, line.split())
        acknowledged[UUID(int=number)] = change
    async with opened(folder, QuickDisk()) as repository:
        found = await all_entries(repository)
        assert found.keys() >= acknowledged.keys()
        assert len(found) in (0, ENTRIES)
        await check_history(repository)
        for entry in found.values():
            least = acknowledged.get(entry.id, 0)
            number = entry.id.int
            assert entry.content in (state(number, least), state(number, least + 1)), folder
        (later,) = await save_all(repository, todo(1_000))
        assert later.revision > revision
    async with opened(folder, QuickDisk()) as repository:
        assert await all_entries(repository) == found | {later.id: later}
