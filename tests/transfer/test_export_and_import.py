"""Entries leave through a file and come back through it, on every storage."""

import errno
import io
import json
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings

from myapp.domain.todo import Priority, TodoEntry
from myapp.infrastructure.database.storage import open_archive
from myapp.infrastructure.transfer import exporting
from myapp.infrastructure.transfer.entry_lines import encode
from myapp.infrastructure.transfer.errors import FileRefused, TransferUnproven
from myapp.infrastructure.transfer.exporting import export, export_file
from myapp.infrastructure.transfer.formats import FORMATS, Format
from myapp.infrastructure.transfer.input_file import InputFile
from tests.contract.entries import NOON, new_entry
from tests.realistic_entries import realistic_entries
from tests.transfer.carrying import (
    files_in,
    fill,
    held_by,
    import_into,
    in_order,
    quietly,
    some_entries,
    stored,
    without_revisions,
)
from tests.transfer.in_memory_archive import InMemoryArchive


@pytest.mark.parametrize("format", ["jsonl", "csv"])
async def test_what_every_storage_exports_every_other_imports(
    source: str, target: str, format: str, tmp_path: Path
) -> None:
    entries = await fill(source, list(realistic_entries(120)))
    file = tmp_path / f"export.{format}"

    sent = await export_file(open_archive(source), file, FORMATS[format], quietly)
    imported = await import_into(target, file)

    held = await held_by(open_archive(target))
    assert without_revisions(held) == without_revisions(in_order(entries))
    assert imported.fingerprint == sent
    assert (imported.added, sent.entries) == (120, 120)


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@settings(max_examples=30)
@given(entries=some_entries)
async def test_the_order_is_that_of_the_ids_and_revisions_do_not_count(
    format: Format, entries: list[TodoEntry]
) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    sent = await export(InMemoryArchive(stored(entries)), first.write, format, quietly)
    again = InMemoryArchive(without_revisions(entries))
    assert await export(again, second.write, format, quietly) == sent
    expected = format.heading + b"".join(map(format.encode, in_order(stored(entries))))
    assert first.getvalue() == expected


async def test_json_lines_are_what_the_api_answers(tmp_path: Path) -> None:
    entries = stored([new_entry("first"), new_entry("second")])
    await export_file(InMemoryArchive(entries), tmp_path / "a", FORMATS["jsonl"], quietly)
    lines = (tmp_path / "a").read_bytes().splitlines()
    assert lines == [encode(entry) for entry in entries]
    assert [json.loads(line)["revision"] for line in lines] == [1, 2]


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
async def test_what_older_rules_allowed_is_exported(format: Format, tmp_path: Path) -> None:
    texts = (" e\u0301 ", "\x01\r\n\u2028", ("a/b", "a\\b"))
    older = TodoEntry.restore(
        (new_entry().id, *texts, Priority.LOW, None, None, None, NOON, NOON, 3)
    )
    sent = await export_file(InMemoryArchive([older]), tmp_path / "a", format, quietly)
    assert sent.entries == 1


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
async def test_an_empty_storage_exports_an_empty_file(format: Format, tmp_path: Path) -> None:
    file = tmp_path / "export"
    sent = await export_file(InMemoryArchive(), file, format, quietly)
    assert file.read_bytes() == format.heading
    assert sent.entries == 0


async def test_an_export_replaces_the_former_one_at_once(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text("former")

    def look(_stage: str, _done: int, _total: int) -> None:
        assert file.read_text() == "former"

    source = InMemoryArchive(stored([new_entry("new")]))
    await export_file(source, file, FORMATS["jsonl"], look)
    assert "new" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert files_in(tmp_path) == [file.name]


_OTHER = encode(*stored([new_entry("other")])) + b"\n"


@pytest.mark.parametrize("harm", [b"", b"{}\n", b"\xff\n", _OTHER])
async def test_a_file_that_holds_something_else_is_not_kept(
    harm: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def harmed(_file: BinaryIO, name: str, format: Format) -> InputFile:
        return InputFile(io.BytesIO(harm), name, format)

    monkeypatch.setattr(exporting, "InputFile", harmed)
    with pytest.raises(TransferUnproven):
        await export_file(
            InMemoryArchive(stored([new_entry()])), tmp_path / "a", FORMATS["jsonl"], quietly
        )
    assert files_in(tmp_path) == []


async def test_a_device_is_not_replaced() -> None:
    with pytest.raises(FileRefused, match="no regular file"):
        await export_file(InMemoryArchive(), Path("/dev/null"), FORMATS["csv"], quietly)
    assert Path("/dev/null").is_char_device()


async def test_a_failure_to_write_is_not_taken_for_one_of_the_storage(source: str) -> None:
    await fill(source, [new_entry()])

    def write(_data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "the file")

    with pytest.raises(OSError, match="No space left on device: 'the file'"):
        await export(open_archive(source), write, FORMATS["jsonl"], quietly)
