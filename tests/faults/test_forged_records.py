"""What only a forger, or a fault elsewhere, puts into a journal, its checksums right."""

import pickle
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.todo import NOTES_MOST, TodoEntry
from myapp.infrastructure.database import frames, records
from myapp.infrastructure.database.errors import StorageDamaged
from myapp.infrastructure.database.frames import file_header, frame, salvage_frames
from myapp.infrastructure.database.pickle_salvage import read, salvage
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.records import decode, encode, encode_changes
from tests.contract.entries import entries as some_entries
from tests.faults.short_ways import MOMENT, QuickDisk, entries_in, opened, todo
from tests.transfer.carrying import stored

_FRAME = b"\x95"
_FIRST = replace(todo(1, "first"), revision=1)
_STATES = [
    [_FIRST],
    [replace(_FIRST, content="second", revision=2)],
    [replace(_FIRST.remove(at=MOMENT), revision=3), replace(todo(2), revision=4)],
]


def _put(folder: Path, payloads: Sequence[bytes]) -> None:
    (folder / JOURNAL).write_bytes(file_header() + b"".join(map(frame, payloads)))


def _changes() -> list[bytes]:
    return [encode_changes(states[-1].revision, states) for states in _STATES]


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
async def test_frames_in_another_order_stop_the_start(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    _put(tmp_path, [_changes()[number] for number in order])
    with pytest.raises(StorageDamaged, match="older than what stands before"):
        await entries_in(tmp_path, QuickDisk())
    with pytest.raises(StorageDamaged):
        read(tmp_path / JOURNAL)


@pytest.mark.parametrize("again", range(3))
async def test_a_frame_that_is_there_twice_stops_the_start(tmp_path: Path, again: int) -> None:
    _put(tmp_path, [*_changes(), _changes()[again]])
    with pytest.raises(StorageDamaged, match="older than what stands before"):
        await entries_in(tmp_path, QuickDisk())


async def test_older_entries_of_the_first_version_stop_the_start(tmp_path: Path) -> None:
    payloads = [encode(states[-1].revision, states) for states in _STATES]
    _put(tmp_path, [*payloads, payloads[0]])
    with pytest.raises(StorageDamaged, match="older than what stands before"):
        await entries_in(tmp_path, QuickDisk())


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_salvage_keeps_the_newest_states_in_whatever_order_they_stand(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    _put(tmp_path, [_changes()[number] for number in (*order, *order)])
    salvage(tmp_path)
    assert [entry.id.int for entry in (await entries_in(tmp_path)).values()] == [2]


async def test_a_revision_is_not_given_out_again_after_a_record_that_tells_an_older_one(
    tmp_path: Path,
) -> None:
    _put(tmp_path, [*_changes(), encode_changes(9, []), encode_changes(4, [])])
    async with opened(tmp_path, QuickDisk()) as repository:
        assert await repository.history.revision() == 9


def test_a_lack_of_memory_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_payload: bytes) -> dict[str, object]:
        raise MemoryError

    _put(tmp_path, _changes())
    before = (tmp_path / JOURNAL).read_bytes()
    monkeypatch.setattr(records, "_load", load)
    with pytest.raises(MemoryError):
        read(tmp_path / JOURNAL)
    with pytest.raises(MemoryError):
        salvage(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed|invalid continuation byte"):
        decode(
            encode(1, [replace(_FIRST, content="sound")]).replace(b"sound", b"s\xed\xa0\x80d")
        )


@pytest.mark.parametrize("revision", [2**62 + 1, 2**63, 2**64])
def test_a_revision_after_which_none_would_be_left_is_refused(revision: int) -> None:
    with pytest.raises(ValueError, match="not a record"):
        decode(encode(revision, []))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL))
def test_a_pickle_of_another_protocol_is_refused(protocol: int) -> None:
    with pytest.raises(ValueError, match="no pickle of a dict"):
        decode(pickle.dumps(pickle.loads(encode(1, [_FIRST])), protocol))


def test_a_name_without_a_value_is_refused() -> None:
    known = pickle.dumps({"revision": 1, "changes": []}, 5)
    begin, end = known[:2] + known[11:-2], known[-2:]  # without the frame, which has a length
    assert decode(begin + end).revision == 1
    with pytest.raises(ValueError, match="not a record"):
        decode(begin + b"\x8c\x05begin" + end)


def test_many_headers_without_a_payload_take_no_more_time_than_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header = frame(bytes(100_000))[:-100_000]
    data = file_header() + header * 1_000 + frame(b"payload")
    read = 0

    def crc32(part: bytes) -> int:
        nonlocal read
        read += len(part)
        return zlib.crc32(part)

    monkeypatch.setattr(frames, "crc32", crc32)
    assert [found.payload for found in salvage_frames(data, Path(JOURNAL))] == [b"payload"]
    assert read < 5 * len(data)


@settings(max_examples=25)
@given(st.lists(some_entries, max_size=8, unique_by=lambda entry: entry.id))
def test_every_record_that_is_written_is_read(entries: list[TodoEntry]) -> None:
    entries = stored(entries)
    assert decode(encode(len(entries), entries)).entries == entries
    assert decode(encode_changes(len(entries), entries)).changes == entries


@settings(max_examples=25)
@given(st.lists(some_entries, min_size=1, max_size=8, unique_by=lambda entry: entry.id))
def test_every_state_is_read_from_columns_as_well(entries: list[TodoEntry]) -> None:
    many = stored(
        [replace(entry, id=UUID(int=number)) for number in range(50) for entry in entries[:1]]
        + entries
    )
    assert type(pickle.loads(encode(len(many), many))["entries"]) is tuple
    assert decode(encode(len(many), many)).entries == many
    assert decode(encode_changes(len(many), many)).changes == many


def test_no_ids_that_follow_each_other_look_like_a_frame() -> None:
    magic = frame(b"")[:20]
    chosen = magic + bytes(12)
    ids = [UUID(bytes=chosen[:16]), UUID(bytes=chosen[16:])]
    many = stored([replace(todo(0), id=entry_id) for entry_id in ids])
    many += stored([todo(number) for number in range(50)])
    payload = encode(len(many), many)
    assert magic not in payload
    assert {*ids} <= {entry.id for entry in decode(payload).entries}


def test_every_record_is_read_wherever_pickle_begins_a_frame_of_its_own() -> None:
    long = [todo(number, notes=f"{number}".ljust(NOTES_MOST, "n")) for number in range(4)]
    last = stored([*long, todo(4), todo(5, tags=("a", "b", "c", "d"))])
    for size in range(1, 2_000):
        entries = [*last[:4], replace(last[4], content="c", notes="n" * size), last[5]]
        payload = encode_changes(6, entries)
        assert decode(payload).changes == entries
    assert payload.count(_FRAME) == 2
