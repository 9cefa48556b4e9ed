"""Whenever the process is killed, what it acknowledged is there when it starts again.

KILL_ROUNDS sets how often a server is killed: by default a few times, before a release 1,000.
See crash_rounds for KILL_SEED.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from tests.faults import killed_at_each_step
from tests.faults.crash_rounds import Rounds, fill
from tests.faults.killed_at_each_step import CHANGES, ENTRIES, state
from tests.faults.short_ways import (
    DEADLINE,
    QuickDisk,
    all_entries,
    check_history,
    frames_in,
    opened,
    todo,
)
from tests.saving import save_all
from tests.storages import STORAGE_URLS

_ROUNDS = int(os.environ.get("KILL_ROUNDS", "12"))
_ROOT = Path(__file__).parents[2]


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "storage"
    rounds = Rounds(folder, *asyncio.run(fill(f"pickle:///{folder}")))
    journal = folder / JOURNAL
    compactions = 0
    try:
        for _ in range(_ROUNDS):
            before = journal.stat().st_ino
            rounds.crash()
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
    rounds = Rounds(tmp_path / "storage", *asyncio.run(fill(url)), url=url)
    try:
        for _ in range(max(1, _ROUNDS // 3)):
            rounds.crash()
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
