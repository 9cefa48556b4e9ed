"""When a journal is compacted though all of it is of use: if it was slow to read."""

from pathlib import Path

import pytest

from myapp.infrastructure.database.disk import Disk
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage
from tests.realistic_entries import realistic_entries

MANY = 2_000


class _CountingDisk(Disk):
    """A disk that waits for nothing, and counts the files put in place of others."""

    def __init__(self) -> None:
        self.replaced = 0

    def sync(self, descriptor: int) -> None:
        """Trust the system."""

    def replace(self, source: Path, target: Path) -> None:
        self.replaced += 1
        super().replace(source, target)


async def _compactions(folder: Path, count: int = 0, *, together: int = 1) -> int:
    """Open a storage, create so many entries, and answer how often it was compacted."""
    disk = _CountingDisk()
    entries = list(realistic_entries(count))
    async with open_pickle_storage(folder, disk) as repository:
        begun = disk.replaced
        for start in range(0, count, together):
            await repository.save(*entries[start : start + together])
        await repository.check()
    return disk.replaced - begun


@pytest.mark.parametrize("together", [1, 50])
async def test_what_is_new_is_not_compacted(tmp_path: Path, together: int) -> None:
    assert await _compactions(tmp_path, MANY, together=together) == 0


async def test_entries_saved_one_by_one_are_compacted_at_the_next_start(tmp_path: Path) -> None:
    await _compactions(tmp_path, MANY)
    assert await _compactions(tmp_path) == 1
    assert await _compactions(tmp_path) == 0


async def test_entries_saved_together_are_left_as_they_are(tmp_path: Path) -> None:
    await _compactions(tmp_path, MANY, together=50)
    assert await _compactions(tmp_path) == 0


async def test_few_entries_are_left_as_they_are(tmp_path: Path) -> None:
    await _compactions(tmp_path, 150)
    assert await _compactions(tmp_path) == 0
