"""Copying a storage: everything arrives as it was, or nothing does."""

import errno
import os
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from sqlalchemy import text

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import Snapshot
from myapp.infrastructure.database.errors import (
    StorageAhead,
    StorageNotEmpty,
    StorageUnusable,
)
from myapp.infrastructure.database.sql.sql_archive import SqlArchive
from myapp.infrastructure.database.storage import open_archive, open_storage
from myapp.infrastructure.transfer.copying import Arrived, arrival, copy
from myapp.infrastructure.transfer.errors import TransferUnproven
from tests.contract.entries import LATER, new_entry
from tests.realistic_entries import realistic_entries
from tests.saving import save_all
from tests.storages import STORAGE_URLS
from tests.transfer.carrying import fill, held_by, in_order, quietly, some_entries, stored
from tests.transfer.in_memory_archive import InMemoryArchive


async def test_every_storage_can_be_copied_to_every_other(source: str, target: str) -> None:
    entries = await fill(source, list(realistic_entries(700)))
    async with open_storage(source) as repository:
        await repository.save(entries[0].remove(at=LATER))

    arrived = await copy(open_archive(source), open_archive(target), quietly)

    assert await held_by(open_archive(target)) == in_order(entries[1:])
    assert (arrived.revision, arrived.fingerprint.entries) == (701, 699)
    assert arrived == await arrival(open_archive(source), quietly)
    async with open_storage(target) as repository:
        (changed,) = await save_all(repository, replace(entries[1], content="goes on"))
    assert changed.revision == 702


@settings(max_examples=50)
@given(entries=some_entries)
async def test_any_entry_arrives_as_it_was(entries: list[TodoEntry]) -> None:
    source = InMemoryArchive(stored(entries), revision=99)
    target = InMemoryArchive()
    await copy(source, target, quietly)
    assert (target.entries, target.revision) == (source.entries, 99)


async def test_a_storage_that_is_not_empty_is_not_copied_to(source: str, target: str) -> None:
    await fill(source, [new_entry("copied")])
    kept = await fill(target, [new_entry("kept"), new_entry("kept too")])
    with pytest.raises(StorageNotEmpty, match="2 entries"):
        await copy(open_archive(source), open_archive(target), quietly)
    assert await held_by(open_archive(target)) == in_order(kept)


@pytest.mark.parametrize("url", ["pickle:///{}/none", "sqlite:///{}/none.db"])
async def test_a_storage_that_is_not_there_is_not_copied(url: str, tmp_path: Path) -> None:
    target = InMemoryArchive()
    with pytest.raises(StorageUnusable, match="none"):
        await copy(open_archive(url.format(tmp_path)), target, quietly)
    assert not list(tmp_path.iterdir())


async def test_the_service_goes_on_while_its_storage_is_copied(
    source: str, target: str
) -> None:
    (first,) = await fill(source, [new_entry("before")])
    async with open_storage(source) as repository:
        async with open_archive(source).snapshot() as snapshot:
            await repository.save(replace(first, content="changed"), new_entry("after"))
            arrived = await copy(_Taken(snapshot), open_archive(target), quietly)
    assert await held_by(open_archive(target)) == [first]
    assert arrived.revision == 1


async def test_a_copy_that_fails_in_the_middle_leaves_nothing(target: str) -> None:
    entries = stored(realistic_entries(1_200))
    with pytest.raises(_Broken):
        await copy(_Breaking(entries, 1_200), open_archive(target), quietly)
    assert await held_by(open_archive(target)) == []

    again = await copy(InMemoryArchive(entries, 1_200), open_archive(target), quietly)
    assert again.fingerprint.entries == 1_200


@pytest.mark.parametrize(
    "tamper",
    [
        lambda entry: [],
        lambda entry: [replace(entry, revision=entry.revision + 1)],
        lambda entry: [replace(entry, content=f"{entry.content}!")],
        lambda entry: [replace(entry, updated_at=LATER)],
    ],
    ids=["lost", "another revision", "another content", "another time"],
)
async def test_what_arrives_otherwise_is_noticed(
    tamper: Callable[[TodoEntry], list[TodoEntry]],
) -> None:
    target = InMemoryArchive()
    target.tamper = lambda entry: tamper(entry) if entry.content == "changes" else [entry]
    entries = stored([new_entry("stays"), new_entry("changes"), new_entry("stays too")])
    with pytest.raises(TransferUnproven):
        await copy(InMemoryArchive(entries, 3), target, quietly)


async def test_the_fingerprint_of_the_same_entries_is_the_same_on_every_storage(
    source: str,
) -> None:
    entries = stored(realistic_entries(700))
    archive = open_archive(source)
    await archive.migrate()
    await archive.load(_batches(entries), revision=700)
    assert await arrival(archive, quietly) == Arrived(
        700, (await arrival(InMemoryArchive(entries), quietly)).fingerprint
    )


async def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[str, int, int]] = []
    entries = stored(realistic_entries(4))
    await copy(InMemoryArchive(entries, 4), InMemoryArchive(), lambda *what: told.append(what))
    assert told == [
        ("copying", 0, 4),
        ("copying", 3, 4),
        ("copying", 4, 4),
        ("comparing", 0, 4),
        ("comparing", 3, 4),
        ("comparing", 4, 4),
    ]


async def test_a_failure_to_read_is_not_taken_for_one_of_the_storage_to_be_filled(
    target: str,
) -> None:
    async def read() -> AsyncIterator[Sequence[TodoEntry]]:
        yield stored([new_entry()])
        raise OSError(errno.EIO, os.strerror(errno.EIO), "the source")

    archive = open_archive(target)
    await archive.migrate()
    with pytest.raises(OSError, match="Input/output error: 'the source'"):
        await archive.load(read(), revision=1)
    assert await held_by(archive) == []


class _Broken(Exception):
    """The storage has failed."""


class _Taken(InMemoryArchive):
    """A storage whose snapshot was taken before."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._taken = snapshot

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        yield self._taken


class _Breaking(InMemoryArchive):
    """A storage that fails after half of its entries."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        async with super().snapshot() as snapshot:
            yield _BreakingSnapshot(snapshot)


class _BreakingSnapshot(Snapshot):
    def __init__(self, whole: Snapshot) -> None:
        self.revision, self.count = whole.revision, whole.count
        self._whole = whole

    async def batches(self) -> AsyncIterator[Sequence[TodoEntry]]:
        left = self.count // 2
        async for batch in self._whole.batches():
            left -= len(batch)
            if left < 0:
                raise _Broken
            yield batch

    async def get(self, ids: Collection[UUID]) -> Mapping[UUID, TodoEntry]:
        return await self._whole.get(ids)


async def _batches(entries: Sequence[TodoEntry]) -> AsyncIterator[Sequence[TodoEntry]]:
    for start in range(0, len(entries), 50):
        yield entries[start : start + 50]


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
async def test_what_is_stored_counts_whatever_becomes_of_its_upkeep(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive = open_archive(STORAGE_URLS[name](tmp_path))
    assert isinstance(archive, SqlArchive)
    archive.dialect.after_load = [text("SELECT 1 FROM nowhere")]
    entries = stored([new_entry()])
    await copy(InMemoryArchive(entries, 1), archive, quietly)
    assert await held_by(archive) == entries
    assert "all is stored" in caplog.text and "nowhere" in caplog.text


async def test_a_journal_takes_the_place_of_another_only_if_it_can_be_read(
    tmp_path: Path,
) -> None:
    archive = open_archive(f"pickle:///{tmp_path}/todos")
    await archive.load(_batches(stored([new_entry("kept")])), revision=1)
    with pytest.raises(ValueError, match="no revision"):
        await archive.load(_batches([new_entry("never stored")]), revision=9, replace=True)
    assert [entry.content for entry in await held_by(archive)] == ["kept"]


async def test_what_was_copied_before_is_compared_and_left_alone(
    source: str, target: str
) -> None:
    entries = await fill(source, list(realistic_entries(20)))
    copied = await copy(open_archive(source), open_archive(target), quietly)
    assert await copy(open_archive(source), open_archive(target), quietly) == copied
    async with open_storage(target) as repository:
        await repository.save(replace(entries[0], content="other"))
    with pytest.raises(StorageNotEmpty):
        await copy(open_archive(source), open_archive(target), quietly)


async def test_a_copy_of_nothing_can_be_run_again(source: str, target: str) -> None:
    (stored,) = await fill(source, [new_entry("removed")])
    async with open_storage(source) as repository:
        await repository.save(stored.remove(at=LATER))
    copied = await copy(open_archive(source), open_archive(target), quietly)
    assert await copy(open_archive(source), open_archive(target), quietly) == copied
    assert copied.revision == 2


@pytest.mark.parametrize("revision", [1, 2])
async def test_a_revision_is_not_given_out_again_where_all_entries_were_removed(
    revision: int, source: str, target: str
) -> None:
    await fill(source, [new_entry("copied") for _ in range(revision)])
    async with open_storage(target) as repository:
        (stored,) = await save_all(repository, new_entry("removed"))
        await repository.save(stored.remove(at=LATER))
    with pytest.raises(StorageAhead, match="revision 2"):
        await copy(open_archive(source), open_archive(target), quietly)
    assert (await open_archive(target).status()).revision == 2
