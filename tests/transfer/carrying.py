"""What is often done when entries are carried from one place to another."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from hypothesis import strategies as st

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import Archive
from myapp.infrastructure.database.storage import open_archive, open_storage
from myapp.infrastructure.transfer.errors import BadLine
from myapp.infrastructure.transfer.formats import format_of
from myapp.infrastructure.transfer.importing import Import, Imported
from myapp.infrastructure.transfer.input_file import InputFile
from myapp.infrastructure.transfer.streams import Progress
from tests.contract import entries as generated
from tests.contract.entries import NOON
from tests.saving import save_all

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""A clock that stands still, at the beginning of time."""


def quietly(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""


def stored(entries: Iterable[TodoEntry]) -> list[TodoEntry]:
    """Answer the entries as if they had been stored one after the other."""
    numbers = count(1)
    return [replace(entry, revision=next(numbers)) for entry in entries]


def in_order(entries: Iterable[TodoEntry]) -> list[TodoEntry]:
    """Answer the entries in the order of their ids."""
    return sorted(entries, key=lambda entry: entry.id.int)


def without_revisions(entries: Iterable[TodoEntry]) -> list[TodoEntry]:
    """Answer the entries as if they had not been stored."""
    return [replace(entry, revision=0) for entry in entries]


async def fill(url: str, entries: Sequence[TodoEntry]) -> list[TodoEntry]:
    """Store the entries in the storage of this URL, and answer them as they were stored."""
    kept: list[TodoEntry] = []
    async with open_storage(url) as repository:
        for start in range(0, len(entries), 500):
            kept += await save_all(repository, *entries[start : start + 500])
    return kept


async def held_by(archive: Archive) -> list[TodoEntry]:
    """Answer all that an archive holds, in its order."""
    async with archive.snapshot() as snapshot:
        return [entry async for batch in snapshot.batches() for entry in batch]


async def import_into(
    url: str,
    file: Path,
    *,
    skip_bad: bool = False,
    replace: bool = False,
    now: datetime = NOON,
    flawed: Callable[[int, BadLine], None] = lambda _number, _flaw: None,
    progress: Progress = quietly,
) -> Imported:
    """Import a file, whose name tells its format, as the command line does."""
    with file.open("rb") as opened:
        source = InputFile(opened, file.name, format_of(file.name))
        work = Import(source, now=now, replace=replace, flawed=flawed, progress=progress)
        async with open_storage(url) as repository:
            return await work.run(open_archive(url), repository, skip_bad=skip_bad)


def files_in(folder: Path) -> list[str]:
    """Answer the names of what is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


some_entries = st.lists(generated.entries, max_size=8, unique_by=lambda entry: entry.id)
