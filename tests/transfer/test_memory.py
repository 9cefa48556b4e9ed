"""Carrying many entries takes no more memory than carrying few."""

import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from myapp.domain.errors import InvalidValue
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.storage import open_archive
from myapp.infrastructure.transfer.backup import backup, restore
from myapp.infrastructure.transfer.copying import copy, fill
from myapp.infrastructure.transfer.errors import BadInput, BadLine
from myapp.infrastructure.transfer.exporting import export_file
from myapp.infrastructure.transfer.formats import FORMATS
from tests.contract.entries import NOON
from tests.realistic_entries import realistic_entries
from tests.transfer.carrying import EPOCH, import_into, quietly, stored

FEW, MANY = 500, 4_000

_ROOM = 1_000_000
"""Bytes that may come and go by chance: half of what so many more entries alone would take."""


@pytest.fixture(scope="module")
async def storages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The URLs of a small and a large storage."""
    folder = tmp_path_factory.mktemp("storages")
    urls = {number: f"sqlite:///{folder}/{number}.db" for number in (FEW, MANY)}
    for number, url in urls.items():
        await fill(open_archive(url), _batches(number), revision=number)
    return urls


async def peak_of(work: Awaitable[object]) -> int:
    """Answer how many bytes Python objects took at most, beyond those that were there."""
    tracemalloc.start()
    try:
        await work
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def _copy(url: str, folder: Path) -> None:
    await copy(open_archive(url), open_archive(f"sqlite:///{folder}/copy.db"), quietly)


async def _back_up_and_restore(url: str, folder: Path) -> None:
    file, archive = folder / "backup", open_archive(url)
    await backup(archive, file, force=False, now=NOON, progress=quietly)
    target = open_archive(f"sqlite:///{folder}/restored.db")
    await restore(file, target, replace=False, now=EPOCH, progress=quietly)


async def _export_and_import(url: str, folder: Path) -> None:
    file = folder / "export.csv"
    await export_file(open_archive(url), file, FORMATS["csv"], quietly)
    await import_into(f"sqlite:///{folder}/imported.db", file)


@pytest.mark.parametrize("work", [_copy, _back_up_and_restore, _export_and_import])
async def test_many_entries_take_no_more_memory_than_few(
    work: Callable[[str, Path], Awaitable[None]], storages: dict[int, str], tmp_path: Path
) -> None:
    peaks = {}
    for number, url in storages.items():
        folder = tmp_path / str(number)
        folder.mkdir()
        peaks[number] = await peak_of(work(url, folder))
    assert peaks[MANY] < peaks[FEW] + _ROOM


async def test_bad_lines_are_forgotten_once_they_are_told(tmp_path: Path) -> None:
    (tmp_path / "import.jsonl").write_text('{"content":""}\n' * FEW)
    with pytest.raises(BadInput):
        await import_into(f"sqlite:///{tmp_path}/imported.db", tmp_path / "import.jsonl")
    gc.collect()
    assert not any(type(kept) in (BadLine, InvalidValue) for kept in gc.get_objects())


async def _batches(number: int) -> AsyncIterator[Sequence[TodoEntry]]:
    entries = stored(realistic_entries(number))
    for start in range(0, number, FEW):
        yield entries[start : start + FEW]
