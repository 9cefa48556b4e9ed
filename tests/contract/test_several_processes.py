"""Storages that several processes share: no update is lost, and revisions stay in order.

PROCESS_ROUNDS sets how often each of these tests runs: by default once.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from myapp.domain.todo_entry_repository import (
    PAGE_MOST,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.infrastructure.database.storage import open_storage
from tests.contract import writing_process
from tests.contract.entries import entries_of, new_entry
from tests.storages import STORAGE_URLS

PATIENCE = 120
"""Seconds that processes may take before they are held to have failed."""

_ROUNDS = int(os.environ.get("PROCESS_ROUNDS", "1"))
_ROOT = Path(__file__).parents[2]
_EVERYTHING = TodoQuery(limit=PAGE_MOST)

pytestmark = pytest.mark.parametrize("round", range(1, _ROUNDS + 1))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, round: int) -> str:
    """The URL of each storage that processes may share, empty in every round."""
    kind: str = request.param
    return STORAGE_URLS[kind](tmp_path)


async def test_no_update_of_eight_processes_is_lost(url: str) -> None:
    names = [f"process-{number}" for number in range(8)]
    async with open_storage(url) as repository:
        stored = await repository.save(*(new_entry() for _ in range(20)))
        contested, *others = (entry.id for entry in stored)
        ids = [*[contested] * 10, *others * 2]

        revisions = await _revisions_of(url, "tag", names, ids)

        tags = {
            entry.id: sorted(
                f"{name}-{number}"
                for name in names
                for number, entry_id in enumerate(ids)
                if entry_id == entry.id
            )
            for entry in stored
        }
        found = await entries_of(repository)
        assert {entry.id: list(entry.tags) for entry in found} == tags
        assert len(revisions) == len(set(revisions)) == len(names) * len(ids)
        assert (await repository.find(_EVERYTHING)).revision == max(revisions)
        every = Counter(chain(*tags.values()))
        assert await repository.tags() == [TagUse(t, every[t], every[t]) for t in sorted(every)]


async def test_a_reader_never_finds_a_smaller_revision_later(url: str) -> None:
    names = [f"process-{number}" for number in range(4)]
    async with open_storage(url) as repository:
        stored = await repository.save(*(new_entry() for _ in range(5)))
        ids = [entry.id for entry in stored] * 8

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(_revisions_of(url, "live", names, ids))
            for _ in range(2):
                group.create_task(_watch(repository, writing))

        revisions = [*(entry.revision for entry in stored), *writing.result()]
        page = await repository.find(_EVERYTHING)
        assert len(revisions) == len(set(revisions))
        assert page.revision == max(revisions)
        assert {entry.revision for entry in page.entries} <= set(revisions)


async def _watch(repository: TodoEntryRepository, writing: asyncio.Task[list[int]]) -> None:
    """Read everything over and over; what is new must be newer than the read before it.

    So it is then newer than every earlier read too, since their revisions only grow.
    """
    before = await repository.find(_EVERYTHING)
    while not writing.done():
        page = await repository.find(_EVERYTHING)
        assert page.next is None, "one page does not show everything any more"
        known = {entry.revision for entry in before.entries}
        new = {entry.revision for entry in page.entries} - known
        assert not [revision for revision in new if revision <= before.revision]
        assert before.revision <= page.revision
        before = page


async def _revisions_of(
    url: str, what: str, names: Sequence[str], ids: Sequence[UUID]
) -> list[int]:
    """Answer the revisions given to processes that all begin at once; each must succeed."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", writing_process.__name__),
            *(url, what, name, *map(str, ids)),
            cwd=_ROOT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        for name in names
    ]
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*map(_ready, processes))
            told = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [error.decode() for _, error in told] == [""] * len(processes)
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [int(line) for out, _ in told for line in out.splitlines()]


async def _ready(process: Process) -> None:
    assert process.stdout is not None and process.stderr is not None
    if await process.stdout.readline() != b"ready\n":
        pytest.fail((await process.stderr.read()).decode())
