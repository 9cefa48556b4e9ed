"""What the journal takes: frames, records, and opening all of it. No disk is waited for."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.micro.measuring import Measure, group
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database.frames import file_header, frame, read_frames
from myapp.infrastructure.database.pickle_todo_entry_repository import open_pickle_storage
from myapp.infrastructure.database.records import decode, encode_changes
from tests.faults.short_ways import QuickDisk
from tests.realistic_entries import realistic_entries

of_a_thousand = group("journal: a thousand records of an entry each")


@pytest.fixture(scope="module")
def payloads(entries: Sequence[TodoEntry]) -> Sequence[bytes]:
    """What the journal would have as a record of each entry."""
    return [encode_changes(entry.revision, [entry]) for entry in entries]


@of_a_thousand
def test_encode_records(
    benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]
) -> None:
    encoded = benchmark(lambda: [encode_changes(entry.revision, [entry]) for entry in entries])

    assert encoded


@of_a_thousand
def test_decode_records(
    benchmark: Measure[Sequence[object]],
    payloads: Sequence[bytes],
    entries: Sequence[TodoEntry],
) -> None:
    """With all that keeps a forged record from doing harm."""
    decoded = benchmark(lambda: [decode(payload).changes[0] for payload in payloads])

    assert decoded == entries


@of_a_thousand
def test_write_frames(benchmark: Measure[Sequence[object]], payloads: Sequence[bytes]) -> None:
    framed = benchmark(lambda: [frame(payload) for payload in payloads])

    assert framed


@of_a_thousand
def test_read_frames(benchmark: Measure[Sequence[object]], payloads: Sequence[bytes]) -> None:
    data = file_header() + b"".join(map(frame, payloads))

    read = benchmark(lambda: [found.payload for found in read_frames(data, Path("journal"))])

    assert read == payloads


@group("journal: a storage of 10,000 entries")
def test_open_and_close(benchmark: Measure[int | None], tmp_path: Path) -> None:
    """The entries were added a thousand at a time."""

    async def fill() -> None:
        entries = list(realistic_entries(10_000))
        async with open_pickle_storage(tmp_path, QuickDisk()) as repository:
            for start in range(0, len(entries), 1_000):
                await repository.save(*entries[start : start + 1_000])

    async def open_and_close() -> int | None:
        async with open_pickle_storage(tmp_path, QuickDisk()) as repository:
            return (await repository.find(TodoQuery(limit=1, counted=True))).total

    asyncio.run(fill())

    assert benchmark(lambda: asyncio.run(open_and_close())) == 10_000
