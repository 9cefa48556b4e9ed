"""Storages that several processes share: no update is lost, and revisions stay in order.

PROCESS_ROUNDS sets how often each of these tests runs: by default once.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from myapp.domain.change import Change
from myapp.domain.errors import HistoryForgotten
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import (
    PAGE_MOST,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.infrastructure.database.storage import open_storage
from tests.contract import following_process, writing_process
from tests.contract.entries import LATER, NOON, entries_of, new_entry
from tests.contract.following import follow, replayed
from tests.contract.following_process import follow_until
from tests.saving import save_all
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
        stored = await save_all(repository, *(new_entry() for _ in range(20)))
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
        stored = await save_all(repository, *(new_entry() for _ in range(5)))
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


async def test_whoever_follows_while_processes_write_knows_the_list_in_the_end(
    url: str,
) -> None:
    names = [f"process-{number}" for number in range(4)]
    async with open_storage(url) as repository:
        stored = await save_all(repository, *(new_entry() for _ in range(5)))
        ids = [entry.id for entry in stored] * 8

        async with _processes([(following_process.__name__, url)] * 2) as followers:
            async with asyncio.TaskGroup() as group:
                end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                following = group.create_task(follow_until(end, repository.history))
                writing = group.create_task(_revisions_of(url, "live", names, ids))
                written = await writing
                revisions = sorted([*(entry.revision for entry in stored), *written])
                end.set_result(f"{revisions[-1]}")
            told = await _told(followers, f"{revisions[-1]}")

        page = await repository.find(_EVERYTHING)
        assert page.next is None
        entries = {entry.id: entry for entry in page.entries}
        assert replayed({}, following.result()) == entries
        assert [change.revision for change in following.result()] == revisions
        expected = [
            *(f"seen {revision}" for revision in revisions),
            *sorted(f"entry {entry.id} {entry.revision}" for entry in page.entries),
        ]
        for lines in told:
            assert [*lines[: len(revisions)], *sorted(lines[len(revisions) :])] == expected


async def test_what_all_processes_are_asked_for_under_the_same_keys_is_done_once(
    url: str,
) -> None:
    async with open_storage(url) as repository:
        stored = await save_all(repository, *(new_entry() for _ in range(20)))
        ids = [str(entry.id) for entry in stored]
        commands = [
            (writing_process.__name__, url, "once", f"process-{number}", *ids)
            for number in range(6)
        ]
        async with _processes(commands) as writers:
            told = await _told(writers, "")
        assert told == [told[0]] * len(commands), "some was answered otherwise"
        changes = await follow(repository.history, stored[-1].revision)
        assert [str(change.revision) for change in changes] == told[0]
        assert len(await entries_of(repository)) == 2 * len(stored)


async def test_processes_that_forget_at_once_forget_no_more_than_one_would(url: str) -> None:
    async with open_storage(url) as one, open_storage(url) as two:
        entry, *_ = await save_all(one, *(new_entry() for _ in range(30)))
        changing = asyncio.create_task(_change_on_and_on(one, entry, times=30))
        while not changing.done():
            await asyncio.gather(*(_forget(some, keep=10) for some in (one, two)))
        changes = await changing
        await asyncio.gather(*(_forget(some, keep=10) for some in (one, two)))
        since = changes[-11].revision
        for repository in (one, two):
            assert await follow(repository.history, since) == changes[-10:]
            assert len(await entries_of(repository)) == 30
            with pytest.raises(HistoryForgotten):
                await repository.history.changes(since - 1, limit=1)


async def _change_on_and_on(
    repository: TodoEntryRepository, entry: TodoEntry, *, times: int
) -> Sequence[Change]:
    changes: list[Change] = []
    for number in range(times):
        changes += await repository.save(entry.change(at=LATER, content=f"{number}"))
        entry = changes[-1].after
    return changes


async def _forget(repository: TodoEntryRepository, *, keep: int) -> None:
    await repository.history.forget(keep=keep, receipts_before=NOON)


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
    """Answer the revisions given to processes that all begin at once."""
    commands = [(writing_process.__name__, url, what, name, *map(str, ids)) for name in names]
    async with _processes(commands) as writers:
        told = await _told(writers, "")
    return [int(line) for line in chain(*told)]


@asynccontextmanager
async def _processes(commands: Sequence[Sequence[str]]) -> AsyncIterator[Sequence[Process]]:
    """Run modules with these arguments meanwhile, each in a process that says it is ready."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            cwd=_ROOT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        for command in commands
    ]
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*map(_ready, processes))
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _ready(process: Process) -> None:
    assert process.stdout is not None and process.stderr is not None
    if await process.stdout.readline() != b"ready\n":
        pytest.fail((await process.stderr.read()).decode())


async def _told(processes: Sequence[Process], line: str) -> Sequence[Sequence[str]]:
    """Tell each process a line, and answer those that it printed; all of them must succeed."""
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(
            *(process.communicate(f"{line}\n".encode()) for process in processes)
        )
    assert [error.decode() for _, error in answers] == [""] * len(processes)
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [out.decode().splitlines() for out, _ in answers]
