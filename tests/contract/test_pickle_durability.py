"""The pickle repository: nothing is seen before it is durable, nor when it never will be."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from myapp.domain.errors import (
    ReceiptExists,
    StaleTodoEntry,
    StorageFull,
    StorageUnavailable,
    TodoEntryNotFound,
    TodoError,
)
from myapp.domain.todo_entry_repository import (
    Page,
    Receipt,
    TagUse,
    TodoEntryRepository,
    TodoQuery,
)
from myapp.infrastructure.database import journal_writer
from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage
from tests.contract.entries import LATER, NOON, entries_of, new_entry, save
from tests.contract.following import follow
from tests.saving import save_all

RECEIPT = Receipt(key="8e03978e", digest="a digest", at=NOON)


class SlowDisk(Disk):
    """A disk that can be held: while it is, no sync ends, and then it may fail."""

    def __init__(self) -> None:
        self.fails = False
        self.error = errno.EIO
        self._is_free = threading.Event()
        self._is_waited_for = threading.Event()
        self._is_free.set()

    def sync(self, descriptor: int) -> None:
        """Wait until the disk is free."""
        self._is_waited_for.set()
        self._is_free.wait()
        if self.fails:
            raise OSError(self.error, "the disk fails")
        super().sync(descriptor)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the disk meanwhile."""
        self._is_waited_for.clear()
        self._is_free.clear()
        try:
            yield
        finally:
            self._is_free.set()

    async def waited_for(self) -> None:
        """Return once a sync waits, and whatever the event loop had to do is done."""
        assert await asyncio.to_thread(self._is_waited_for.wait, 30)
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def disk() -> SlowDisk:
    """The disk below the repository."""
    return SlowDisk()


@pytest.fixture
async def repository(disk: SlowDisk, tmp_path: Path) -> AsyncIterator[TodoEntryRepository]:
    """An empty repository on that disk."""
    async with open_pickle_storage(tmp_path / "todo", disk) as opened:
        yield opened


async def seen(repository: TodoEntryRepository) -> tuple[Page, list[TagUse]]:
    """Answer what a reader sees."""
    return await repository.find(TodoQuery(counted=True)), list(await repository.tags())


async def test_a_save_is_neither_seen_nor_acknowledged_before_it_is_durable(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    to_change, to_remove = await save_all(
        repository, new_entry("old", tags=("old",)), new_entry("gone", tags=("gone",))
    )
    before = await seen(repository)
    added = new_entry("added", tags=("new",))
    async with disk.held():
        saving = asyncio.create_task(
            save_all(
                repository,
                added,
                to_change.change(at=LATER, content="changed", tags=()),
                to_remove.remove(at=LATER),
            )
        )
        await disk.waited_for()
        assert not saving.done()
        assert await seen(repository) == before
        assert await repository.get(to_change.id) == to_change
        assert await repository.get(to_remove.id) == to_remove
        with pytest.raises(TodoEntryNotFound):
            await repository.get(added.id)
    stored, changed, removed = await saving
    page, tags = await seen(repository)
    assert {entry.id: entry for entry in page.entries} == {
        added.id: stored,
        to_change.id: changed,
    }
    assert (page.revision, page.total, tags) == (removed.revision, 2, [TagUse("new", 1, 1)])


async def test_what_is_under_way_counts_as_stored_for_those_that_save(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    stored = await save(repository, new_entry())
    added = new_entry()
    async with disk.held():
        saving = asyncio.create_task(
            save_all(repository, stored.add_tag("first", at=LATER), added)
        )
        await disk.waited_for()
        for late in (stored.add_tag("second", at=LATER), added):
            with pytest.raises(StaleTodoEntry):
                await repository.save(late)
    assert await saving == await entries_of(repository)


async def test_saves_that_wait_for_the_disk_are_all_seen_when_it_is_done(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    async with disk.held():
        first = asyncio.create_task(save(repository, new_entry("first")))
        await disk.waited_for()
        others = [
            asyncio.create_task(save(repository, new_entry(f"{number}")))
            for number in range(10)
        ]
        await disk.waited_for()
        assert not any(saving.done() for saving in [first, *others])
        assert await entries_of(repository) == []
    stored = await asyncio.gather(first, *others)
    revisions = [entry.revision for entry in stored]
    assert revisions == sorted(set(revisions))
    assert await entries_of(repository) == stored


async def test_a_save_that_the_disk_refuses_is_never_seen(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    stored = await save(repository, new_entry(tags=("old",)))
    before = await seen(repository)
    changed = stored.change(at=LATER, content="refused at first", tags=("new",))
    async with disk.held():
        saving = asyncio.create_task(save(repository, changed))
        await disk.waited_for()
        disk.fails = True
    with pytest.raises(StorageUnavailable):
        await saving
    for refused in (repository.check(), save(repository, changed)):
        with pytest.raises(StorageUnavailable):
            await refused
    assert await seen(repository) == before
    assert await repository.get(stored.id) == stored

    disk.fails = False
    async with asyncio.timeout(30):
        await _recovered(repository)
    assert await seen(repository) == before
    taken = await save(repository, changed)
    assert taken.revision > stored.revision + 1, "the refused save's revision stays unused"
    assert await entries_of(repository) == [taken]


@pytest.mark.parametrize(
    ("number", "error", "told"),
    [
        (errno.EIO, StorageUnavailable, "The storage cannot be written now."),
        (errno.ENOSPC, StorageFull, "There is no space left to store anything."),
    ],
)
async def test_that_nothing_can_be_written_is_told_and_logged_until_it_can_again(
    repository: TodoEntryRepository,
    disk: SlowDisk,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: int,
    error: type[TodoError],
    told: str,
) -> None:
    disk.fails, disk.error = True, number
    with pytest.raises(error) as caught:
        await repository.save(new_entry())
    assert str(caught.value) == told
    assert isinstance(caught.value.__cause__, OSError)
    disk.fails = False
    async with asyncio.timeout(30):
        await _recovered(repository)
    path = tmp_path / "todo" / "todo.journal"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be written: [Errno {number}] the disk fails",
        f"{path} can be written again",
    ]


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"something")


def _put_another(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (Path.unlink, f"[Errno {errno.ENOENT}] No such file or directory: '{{}}'"),
        (_append, "somebody else has written to {}"),
        (_put_another, "somebody else has put another file in place of {}"),
    ],
)
async def test_what_has_become_of_the_journal_is_logged_with_its_name(
    repository: TodoEntryRepository,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[Path], None],
    reason: str,
) -> None:
    path = tmp_path / "todo" / "todo.journal"
    harm(path)
    with pytest.raises(StorageUnavailable):
        await repository.save(new_entry())
    assert caplog.records[0].getMessage() == f"{path} cannot be written: {reason.format(path)}"


async def test_that_a_journal_cannot_be_compacted_is_logged(
    repository: TodoEntryRepository,
    disk: SlowDisk,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_path: Path) -> int:
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(journal_writer, "_COMPACT_BEYOND", 4)
    monkeypatch.setattr(disk, "create", refuse)
    entry = await save(repository, new_entry())
    for number in range(10):
        await repository.history.forget(keep=0, receipts_before=NOON)
        entry = await save(repository, entry.change(at=LATER, content=f"{number}"))
    path = tmp_path / "todo" / "todo.journal"
    assert caplog.records[0].getMessage() == (
        f"{path} could not be compacted: [Errno {errno.EIO}] the disk fails"
    )


async def test_that_a_torn_tail_is_put_aside_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "todo.journal"
    async with open_pickle_storage(tmp_path):
        pass
    _append(path)
    async with open_pickle_storage(tmp_path):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} ended in 9 bytes of a write that was never acknowledged;"
        f" moved to {tmp_path / 'todo.torn'}"
    ]


async def test_neither_a_change_nor_its_receipt_is_seen_before_it_is_durable(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    history = repository.history
    (known,) = await repository.save(new_entry())
    async with disk.held():
        saving = asyncio.create_task(
            repository.save(known.after.complete(at=LATER), receipt=RECEIPT)
        )
        await disk.waited_for()
        assert await history.revision() == known.revision
        assert await follow(history, 0) == [known]
        assert await repository.receipt(RECEIPT.key) is None
    (change,) = await saving
    assert await follow(history, 0) == [known, change]
    receipt = await repository.receipt(RECEIPT.key)
    assert receipt is not None and list(receipt.changes) == [change]


async def test_a_save_waits_for_the_one_under_its_key_that_is_under_way(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    async with disk.held():
        first = asyncio.create_task(repository.save(new_entry(), receipt=RECEIPT))
        await disk.waited_for()
        second = asyncio.create_task(repository.save(new_entry(), receipt=RECEIPT))
        await disk.waited_for()
        assert not second.done()
    with pytest.raises(ReceiptExists):
        await second
    assert await follow(repository.history, 0) == list(await first)


async def test_neither_a_change_nor_its_receipt_that_the_disk_refuses_is_ever_seen(
    repository: TodoEntryRepository, disk: SlowDisk
) -> None:
    async with disk.held():
        saves = [
            asyncio.create_task(repository.save(new_entry(), receipt=RECEIPT)) for _ in "12"
        ]
        await disk.waited_for()
        disk.fails = True
    for saving in saves:
        with pytest.raises(StorageUnavailable):
            await saving
    disk.fails = False
    async with asyncio.timeout(30):
        await _recovered(repository)
    assert await follow(repository.history, 0) == []
    assert await repository.receipt(RECEIPT.key) is None
    (change,) = await repository.save(new_entry(), receipt=RECEIPT)
    assert await follow(repository.history, 0) == [change]


async def _recovered(repository: TodoEntryRepository) -> None:
    while True:
        try:
            return await repository.check()
        except (StorageFull, StorageUnavailable):
            await asyncio.sleep(0.01)
