"""A backup is whole and proven, or it is not there; and only a whole one is restored."""

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from myapp.domain.errors import StorageFull
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.archive import REVISIONS_APART
from myapp.infrastructure.database.errors import StorageNotEmpty, StorageOpeningError
from myapp.infrastructure.database.storage import open_archive, open_storage
from myapp.infrastructure.transfer import backup as backup_module
from myapp.infrastructure.transfer.backup import backup, restore
from myapp.infrastructure.transfer.copying import Arrived, arrival
from myapp.infrastructure.transfer.entry_lines import encode
from myapp.infrastructure.transfer.errors import (
    BackupDamaged,
    FileRefused,
    TransferUnproven,
)
from tests.contract.entries import LATER, NOON, new_entry
from tests.faults.small_disk import small_disk_at
from tests.realistic_entries import realistic_entries
from tests.saving import save_all
from tests.transfer.carrying import (
    EPOCH,
    files_in,
    fill,
    held_by,
    in_order,
    quietly,
    some_entries,
    stored,
)
from tests.transfer.in_memory_archive import InMemoryArchive


async def back_up(source: InMemoryArchive, file: Path, *, force: bool = False) -> Arrived:
    return await backup(source, file, force=force, now=NOON, progress=quietly)


async def restored(file: Path, *, revision: int = 0) -> InMemoryArchive:
    """Answer an empty storage that a backup was restored into."""
    target = InMemoryArchive(revision=revision)
    await restore(file, target, replace=False, now=EPOCH, progress=quietly)
    return target


@pytest.fixture
async def small(tmp_path: Path) -> Path:
    """A backup of three entries."""
    entries = stored([new_entry("first"), new_entry("second", notes="a\nb"), new_entry("店")])
    await back_up(InMemoryArchive(entries, 7), tmp_path / "small")
    return tmp_path / "small"


async def test_a_backup_of_every_storage_is_restored_in_every_other(
    source: str, target: str, tmp_path: Path
) -> None:
    entries = await fill(source, list(realistic_entries(250)))
    file = tmp_path / "backup"

    sent = await backup(open_archive(source), file, force=False, now=NOON, progress=quietly)
    arrived = await restore(
        file, open_archive(target), replace=False, now=EPOCH, progress=quietly
    )

    assert await held_by(open_archive(target)) == in_order(entries)
    assert arrived == Arrived(250 + REVISIONS_APART, sent.fingerprint)
    assert sent == await arrival(open_archive(source), quietly)
    async with open_storage(target) as repository:
        (changed,) = await save_all(repository, replace(entries[0], content="goes on"))
    assert changed.revision == 250 + REVISIONS_APART + 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=some_entries)
async def test_any_entry_survives(tmp_path: Path, entries: list[TodoEntry]) -> None:
    source = InMemoryArchive(stored(entries), 99)
    await back_up(source, tmp_path / "any", force=True)
    assert (await restored(tmp_path / "any")).entries == source.entries


async def test_a_backup_is_text_with_a_header_and_a_trailer(tmp_path: Path) -> None:
    entries = stored([new_entry("first"), new_entry("second")])
    sent = await back_up(InMemoryArchive(entries, 7), tmp_path / "backup")
    header, first, second, trailer, end = (tmp_path / "backup").read_bytes().split(b"\n")
    assert json.loads(header) == {
        "format": "todo backup",
        "version": 1,
        "created": "2026-11-21T12:00:00Z",
        "revision": 7,
        "count": 2,
    }
    assert [first, second] == [encode(entry) for entry in entries]
    assert json.loads(trailer) == {
        "count": 2,
        "digest": sha256(first + b"\n" + second + b"\n").hexdigest(),
        "sha256": sha256(b"\n".join([header, first, second, b""])).hexdigest(),
    }
    assert sent.fingerprint.digest == json.loads(trailer)["digest"]
    assert end == b""


async def test_only_the_owner_may_read_a_backup_and_nothing_lies_beside_it(
    small: Path,
) -> None:
    assert stat.S_IMODE(small.stat().st_mode) == 0o600
    assert files_in(small.parent) == [small.name]


async def test_a_folder_with_an_unusual_name_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "50% of my #1 todos? ja: 店"
    folder.mkdir()
    await back_up(InMemoryArchive(stored([new_entry()]), 1), folder / "a b?c")
    assert files_in(folder) == ["a b?c"]


async def test_a_backup_may_have_the_longest_name_that_there_is(tmp_path: Path) -> None:
    name = "x" + "店" * 84 + "xx"
    assert len(os.fsencode(name)) == 255
    await back_up(InMemoryArchive(stored([new_entry()]), 1), tmp_path / name)
    assert files_in(tmp_path) == [name]


async def test_a_file_that_exists_is_replaced_only_by_force(small: Path) -> None:
    before = small.read_bytes()
    source = InMemoryArchive(stored([new_entry("another")]), 1)
    with pytest.raises(FileRefused, match="--force"):
        await back_up(source, small)
    assert small.read_bytes() == before

    await back_up(source, small, force=True)
    assert (await restored(small)).entries == source.entries


async def test_a_link_goes_on_to_lead_to_the_backup(small: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(small)
    source = InMemoryArchive(stored([new_entry("another")]), 1)
    await back_up(source, tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (await restored(small)).entries == source.entries


async def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="no regular file"):
        await back_up(InMemoryArchive(), Path("/dev/null"), force=True)
    with pytest.raises(FileRefused, match="no regular file"):
        await back_up(InMemoryArchive(), tmp_path, force=True)
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "tamper",
    [lambda entry: [], lambda entry: [replace(entry, updated_at=LATER)]],
    ids=["lost", "another time"],
)
async def test_a_backup_that_cannot_be_proven_is_not_kept(
    tamper: Callable[[TodoEntry], list[TodoEntry]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = InMemoryArchive()
    scratch.tamper = tamper
    monkeypatch.setattr(backup_module, "open_archive", lambda _url: scratch)
    with pytest.raises(TransferUnproven):
        await back_up(InMemoryArchive(stored([new_entry()]), 1), tmp_path / "backup")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("size", [100_000, 700_000], ids=["for it", "for the scratch storage"])
async def test_a_disk_without_space_is_told_and_left_as_it_was(
    size: int, tmp_path: Path
) -> None:
    source = InMemoryArchive(stored(realistic_entries(1_000)), 1_000)
    with small_disk_at(tmp_path / "disk", size) as disk:
        with pytest.raises((OSError, StorageOpeningError, StorageFull)) as caught:
            await back_up(source, disk / "backup")
        assert str(disk) in str(caught.value) or "space" in str(caught.value)
        assert files_in(disk) == []


async def test_a_failed_backup_leaves_the_former_one(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.read_bytes()
    scratch = InMemoryArchive()
    scratch.tamper = lambda entry: []
    monkeypatch.setattr(backup_module, "open_archive", lambda _url: scratch)
    with pytest.raises(TransferUnproven):
        await back_up(InMemoryArchive(stored([new_entry()]), 1), small, force=True)
    assert small.read_bytes() == before
    assert files_in(small.parent) == [small.name]


async def test_a_backup_cut_off_anywhere_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for size in range(len(whole)):
        small.write_bytes(whole[:size])
        with pytest.raises(BackupDamaged) as caught:
            await restored(small)
        assert caught.value.line == whole[:size].count(b"\n") + 1


async def test_a_backup_with_a_flipped_bit_anywhere_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for offset in range(len(whole)):
        flipped = bytearray(whole)
        flipped[offset] ^= 1 << offset % 8
        small.write_bytes(flipped)
        with pytest.raises(BackupDamaged) as caught:
            await restored(small)
        assert str(caught.value).isprintable()


def _count(whole: bytes) -> bytes:
    return whole.replace(b'"count":3', b'"count":2')


def _swap(whole: bytes) -> bytes:
    header, first, second, *rest = whole.split(b"\n")
    return b"\n".join([header, second, first, *rest])


def _repeat(whole: bytes) -> bytes:
    header, first, _, *rest = whole.split(b"\n")
    return b"\n".join([header, first, first, *rest])


def _trailer_of(entries: Sequence[bytes], all_lines: Sequence[bytes]) -> bytes:
    """Answer the trailer that confirms the lines, and the entries among them."""
    digest, whole = (sha256(b"".join(lines)).hexdigest() for lines in (entries, all_lines))
    values = {"count": len(entries), "digest": digest, "sha256": whole}
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


def _drop(whole: bytes) -> bytes:
    header, _, *rest = whole.split(b"\n")
    return b"\n".join([header, *rest])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda whole: b"", "line 1 breaks off"),
        (lambda whole: b"\n" * 5, "line 1 is not the header"),
        (lambda whole: b"\xff\n" * 5, "line 1 is not the header"),
        (lambda whole: b"{}\n" * 5, "line 1 is not the header"),
        (lambda whole: b"x" * 3_000_000, "line 1 does not end"),
        (lambda whole: whole.replace(b'"version":1', b'"version":2'), "does not know"),
        (lambda whole: whole.replace(b'"count":3', b'"count":2', 1), "line 4 does not confirm"),
        (lambda whole: whole.replace(b'"count":3', b'"count":4', 1), "line 5 "),
        (lambda whole: whole.replace(b'"revision":7', b'"revision":8'), "line 5 does not"),
        (_count, "line 4 does not confirm"),
        (_swap, "line 3 is not in the order"),
        (_repeat, "line 3 is not in the order"),
        (_drop, "line 4 "),
        (lambda whole: whole + b"\n", "line 6 follows the end"),
        (lambda whole: whole + whole, "line 6 follows the end"),
        (lambda whole: whole.replace(b"\n", b"\r\n"), "line 1|line 2"),
        (lambda whole: whole.replace(b"first", b"f\x00rst"), "line 2 is not JSON"),
        (lambda whole: whole.replace(b"first", b"\xff\xff\xff\xff\xff"), "line 2 is not UTF-8"),
        (lambda whole: whole.replace(b"first", b"x" * 3_000_000), "line 2 does not end"),
        (lambda whole: whole.replace(b'"first"', b"[" * 99_999), "line 2 is nested too deep"),
        (lambda whole: whole.replace(b'"notes":""', b'"notes":"","notes":""'), "field twice"),
        (lambda whole: whole.replace(b'"first"', b'"\\u0066irst"'), "line 2 is not written as"),
        (lambda whole: whole.replace(b"first", b"\\ud800"), "line 2 holds half of a surrogate"),
    ],
)
async def test_a_damaged_backup_is_refused_with_its_line(
    damage: Callable[[bytes], bytes], reason: str, small: Path
) -> None:
    small.write_bytes(damage(small.read_bytes()))
    target = InMemoryArchive(stored([new_entry("kept")]), 5)
    before = dict(target.entries)
    with pytest.raises(BackupDamaged, match=reason):
        await restore(small, target, replace=True, now=EPOCH, progress=quietly)
    assert (target.entries, target.revision) == (before, 5)


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ({"revision": 0}, "line 2 revision: must be greater than or equal to 1"),
        ({"tags": [f"{number:04}" for number in range(1_500)]}, "line 2 tags: must be 1,000"),
        ({"tags": ["a b"]}, "line 2 tags: must be 1,000 different words at most"),
    ],
    ids=["no revision", "too many tags", "a tag that is two"],
)
async def test_what_no_storage_has_held_does_not_replace_what_one_holds(
    forged: Mapping[str, object], reason: str, target: str, small: Path
) -> None:
    kept = await fill(target, [new_entry("kept")])
    lines = small.read_bytes().splitlines(keepends=True)
    values = json.loads(lines[1]) | forged
    lines[1] = json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"
    small.write_bytes(b"".join([*lines[:-1], _trailer_of(lines[1:-1], lines[:-1])]))
    with pytest.raises(BackupDamaged, match=reason):
        await restore(small, open_archive(target), replace=True, now=EPOCH, progress=quietly)
    assert await held_by(open_archive(target)) == kept


async def test_restoring_goes_beyond_the_revisions_of_both(small: Path) -> None:
    assert (await restored(small, revision=3)).revision == 7 + REVISIONS_APART
    assert (await restored(small, revision=900)).revision == 900 + REVISIONS_APART


async def test_only_an_empty_storage_is_restored_unless_it_is_to_be_replaced(
    target: str, small: Path
) -> None:
    kept = await fill(target, [new_entry("kept"), new_entry("kept too")])
    with pytest.raises(StorageNotEmpty):
        await restore(small, open_archive(target), replace=False, now=EPOCH, progress=quietly)
    assert await held_by(open_archive(target)) == kept

    await restore(small, open_archive(target), replace=True, now=EPOCH, progress=quietly)
    held = await held_by(open_archive(target))
    assert [entry.content for entry in held] == ["first", "second", "店"]


async def test_restoring_otherwise_is_noticed(small: Path) -> None:
    target = InMemoryArchive()
    target.tamper = lambda entry: [replace(entry, content="other")]
    with pytest.raises(TransferUnproven):
        await restore(small, target, replace=False, now=EPOCH, progress=quietly)


async def test_a_backup_that_changes_while_it_is_restored_changes_nothing(
    tmp_path: Path,
) -> None:
    file = tmp_path / "backup"
    await back_up(InMemoryArchive(stored(realistic_entries(200)), 200), file)

    def change(stage: str, _done: int, _total: int) -> None:
        if stage == "restoring":
            lines = file.read_bytes().split(b"\n")
            file.write_bytes(b"\n".join([*lines[:-3], lines[-4], *lines[-2:]]))

    target = InMemoryArchive()
    with pytest.raises(BackupDamaged):
        await restore(file, target, replace=False, now=EPOCH, progress=change)
    assert target.entries == {}


async def test_a_missing_backup_is_told_by_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await restored(tmp_path / "none")


async def test_what_a_backup_is_restored_into_twice_gives_out_different_revisions(
    small: Path, tmp_path: Path
) -> None:
    revisions = []
    for number, now in enumerate((NOON, LATER)):
        target = open_archive(f"sqlite:///{tmp_path}/{number}.db")
        arrived = await restore(small, target, replace=False, now=now, progress=quietly)
        revisions.append(arrived.revision)
    assert revisions[1] - revisions[0] == (LATER - NOON).total_seconds() * 1_000_000
