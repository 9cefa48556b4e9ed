"""Importing a file: all or nothing, again and again, and what becomes of bad lines."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest

from myapp.infrastructure.database.storage import open_archive
from myapp.infrastructure.transfer.errors import (
    BadInput,
    BadLine,
    EntriesChanged,
    FileChanged,
    TransferError,
    TransferUnproven,
)
from myapp.infrastructure.transfer.importing import Imported
from myapp.infrastructure.transfer.input_file import rereadable
from tests.contract.entries import LATER, NOON, new_entry
from tests.transfer.carrying import fill, held_by, import_into, in_order

ID = UUID("0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an empty storage."""
    return f"sqlite:///{tmp_path}/todos.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to be written and imported."""
    return tmp_path / "import.jsonl"


def lines(*values: Mapping[str, object] | str) -> str:
    """Answer JSON Lines."""
    return "".join(f"{v if isinstance(v, str) else json.dumps(v)}\n" for v in values)


async def contents(url: str) -> list[str]:
    return sorted(entry.content for entry in await held_by(open_archive(url)))


def counts(imported: Imported) -> tuple[int, int, int, int]:
    return imported.added, imported.changed, imported.unchanged, imported.skipped


async def test_only_content_is_required(url: str, file: Path) -> None:
    file.write_text(lines({"content": "a"}, {"content": "b", "done": True}))
    assert counts(await import_into(url, file)) == (2, 0, 0, 0)
    held = await held_by(open_archive(url))
    assert {entry.content: entry.completed_at for entry in held} == {"a": None, "b": NOON}
    assert (
        {entry.created_at for entry in held} == {entry.updated_at for entry in held} == {NOON}
    )


@pytest.mark.parametrize("name", ["import.jsonl", "import.csv"])
async def test_the_same_file_imported_again_changes_nothing(
    source: str, tmp_path: Path, name: str
) -> None:
    text = {
        "import.jsonl": lines(
            {"content": "a", "done": True}, {"content": "a"}, {"content": "b"}
        ),
        "import.csv": "content,done\na,TRUE\na,\nb,false\n",
    }
    (tmp_path / name).write_text(text[name])
    first = await import_into(source, tmp_path / name)
    held = await held_by(open_archive(source))
    again = await import_into(source, tmp_path / name, now=LATER)
    assert (counts(first), counts(again)) == ((3, 0, 0, 0), (0, 0, 3, 0))
    assert await held_by(open_archive(source)) == held
    assert first.fingerprint == again.fingerprint


async def test_entries_get_new_revisions(source: str, file: Path) -> None:
    await fill(source, [new_entry("first")])
    file.write_text(lines({"content": "second", "revision": 99}))
    await import_into(source, file)
    assert {e.content: e.revision for e in await held_by(open_archive(source))} == {
        "first": 1,
        "second": 2,
    }


async def test_all_bad_lines_are_told_and_nothing_is_imported(url: str, file: Path) -> None:
    file.write_text(lines({"content": "a"}, "{", {"content": ""}, {"content": "b"}, "[]"))
    told: list[tuple[int, str]] = []

    def flawed(number: int, flaw: BadLine) -> None:
        told.append((number, str(flaw)))

    with pytest.raises(BadInput, match="3 lines are bad: nothing was imported"):
        await import_into(url, file, flawed=flawed)
    assert [number for number, _ in told] == [2, 3, 5]
    assert told[1] == (3, "content: must not be empty")
    assert await contents(url) == []


async def test_good_lines_are_imported_if_that_is_wanted(url: str, file: Path) -> None:
    file.write_text(lines({"content": "a"}, "{", {"content": ""}, {"content": "b"}, "[]"))
    assert counts(await import_into(url, file, skip_bad=True)) == (2, 0, 0, 3)
    assert await contents(url) == ["a", "b"]


async def test_many_lines_of_which_some_are_bad(url: str, file: Path) -> None:
    many = [{"content": str(n)} if n % 7 else {"content": n} for n in range(1, 1_801)]
    file.write_text(lines(*many))
    told: list[int] = []
    imported = await import_into(
        url, file, skip_bad=True, flawed=lambda number, _flaw: told.append(number)
    )
    assert told == list(range(7, 1_801, 7))
    assert counts(imported) == (1_543, 0, 0, 257)
    assert await contents(url) == sorted(str(n) for n in range(1, 1_801) if n % 7)


async def test_an_id_given_twice_is_bad_the_second_time(url: str, file: Path) -> None:
    file.write_text(
        lines(
            {"content": "a", "id": str(ID)},
            *({"content": str(number)} for number in range(600)),
            {"content": "b", "id": str(ID)},
            {"content": "a", "id": str(ID)},
        )
    )
    told: list[tuple[int, str]] = []
    imported = await import_into(
        url, file, skip_bad=True, flawed=lambda n, flaw: told.append((n, str(flaw)))
    )
    assert told == [(602, "id: is that of line 1"), (603, "id: is that of line 1")]
    assert counts(imported) == (601, 0, 0, 2)


async def test_a_stored_entry_with_the_same_content_is_left_alone(
    source: str, file: Path
) -> None:
    (stored,) = await fill(source, [new_entry("a", tags=("t",))])
    file.write_text(lines({"content": "a", "tags": ["t"], "id": str(stored.id)}))
    assert counts(await import_into(source, file, now=LATER)) == (0, 0, 1, 0)
    assert await held_by(open_archive(source)) == [stored]


async def test_a_stored_entry_with_other_content_makes_a_line_bad(
    source: str, file: Path
) -> None:
    (stored,) = await fill(source, [new_entry("a")])
    file.write_text(lines({"content": "new"}, {"content": "b", "id": str(stored.id)}))
    told: list[tuple[int, str]] = []
    imported = await import_into(
        source, file, skip_bad=True, flawed=lambda n, flaw: told.append((n, str(flaw)))
    )
    assert counts(imported) == (1, 0, 0, 1)
    assert told == [
        (2, "id: is that of a stored entry with other content (--replace replaces it)")
    ]
    assert await contents(source) == ["a", "new"]


async def test_a_stored_entry_is_replaced_if_that_is_wanted(source: str, file: Path) -> None:
    (stored,) = await fill(source, [new_entry("a", notes="n")])
    file.write_text(lines({"content": "b", "id": str(stored.id)}))
    assert counts(await import_into(source, file, replace=True, now=LATER)) == (0, 1, 0, 0)
    changed = replace(stored, content="b", notes="", updated_at=LATER, revision=2)
    assert await held_by(open_archive(source)) == [changed]


async def test_a_file_that_lost_its_end_is_imported_again_with_it(url: str, file: Path) -> None:
    entries = in_order([new_entry(str(number)) for number in range(1_200)])
    whole = lines(*({"content": e.content, "id": str(e.id)} for e in entries))
    file.write_text(whole[: len(whole) // 2].rpartition("\n")[0] + "\n")
    first = await import_into(url, file)
    file.write_text(whole)
    again = await import_into(url, file, now=LATER)
    assert first.added == again.unchanged > 500
    assert again.added == 1_200 - first.added


async def test_an_import_interrupted_between_batches_goes_on_when_run_again(
    source: str, file: Path
) -> None:
    file.write_text(lines(*({"content": str(number)} for number in range(1_200))))

    def interrupt(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("storing", 1_000):
            raise _Interrupted

    with pytest.raises(_Interrupted):
        await import_into(source, file, progress=interrupt)
    assert len(await contents(source)) == 1_000
    assert counts(await import_into(source, file, now=LATER)) == (200, 0, 1_000, 0)
    assert await contents(source) == sorted(map(str, range(1_200)))


@pytest.mark.parametrize("stage", ["storing", "comparing"])
@pytest.mark.parametrize("change", ['"9911"', '""', "1199", "{"])
async def test_a_file_that_changes_meanwhile_is_an_error(
    stage: str, change: str, url: str, file: Path
) -> None:
    file.write_text(lines(*({"content": str(number)} for number in range(1_200))))
    calls = count()

    def spoil(told: str, _done: int, _total: int) -> None:
        if told == stage and next(calls) == 0:
            file.write_text(file.read_text().replace('"1199"', change))

    with pytest.raises(FileChanged, match="run it again"):
        await import_into(url, file, progress=spoil)


@pytest.mark.parametrize(
    ("stage", "content", "revision", "error"),
    [
        ("checking", "theirs", 0, EntriesChanged),
        ("storing", "theirs", 1, TransferUnproven),
        ("storing", None, 1, TransferUnproven),
    ],
    ids=["added before", "changed afterwards", "removed afterwards"],
)
async def test_what_somebody_else_does_meanwhile_is_noticed(
    stage: str,
    content: str | None,
    revision: int,
    error: type[TransferError],
    url: str,
    file: Path,
) -> None:
    file.write_text(lines({"content": "mine", "id": str(ID)}))
    theirs = replace(new_entry(content or "mine", id=ID), revision=revision)
    theirs = theirs if content else theirs.remove(at=LATER)

    def meanwhile(told: str, done: int, _total: int) -> None:
        if told == stage and done:
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(asyncio.run, fill(url, [theirs])).result()

    with pytest.raises(error, match="run it again"):
        await import_into(url, file, progress=meanwhile)
    assert await contents(url) == ([content] if content else [])


async def test_csv_with_lines_in_its_notes_counts_physical_lines(
    url: str, tmp_path: Path
) -> None:
    file = tmp_path / "import.csv"
    file.write_text('content,notes\na,"1\n2\n3"\n,\nb,\n')
    told: list[int] = []
    await import_into(
        url, file, skip_bad=True, flawed=lambda number, _flaw: told.append(number)
    )
    assert told == [5]
    assert [entry.notes for entry in await held_by(open_archive(url)) if entry.notes] == [
        "1\n2\n3"
    ]


async def test_an_empty_file_imports_nothing(url: str, file: Path) -> None:
    file.write_text("")
    assert counts(await import_into(url, file)) == (0, 0, 0, 0)


def test_a_pipe_can_be_read_several_times() -> None:
    reading, writing = os.pipe()
    data = b"line\n" * 100_000

    def write() -> None:
        with open(writing, "wb") as pipe:
            pipe.write(data)

    thread = Thread(target=write)
    thread.start()
    with open(reading, "rb") as pipe, rereadable(pipe) as file:
        for _ in range(2):
            file.seek(0)
            assert file.read() == data
    thread.join()


def test_a_file_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with (tmp_path / "a").open("rb") as file, rereadable(file) as same:
        assert same is file


class _Interrupted(Exception):
    """The import is interrupted."""


async def test_a_temporary_file_without_space_is_told_and_nothing_is_imported(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(path: str, isolation_level: None) -> sqlite3.Connection:
        connection = connect(path, isolation_level=isolation_level)
        connection.execute("PRAGMA max_page_count = 9")
        return connection

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", nearly_full)
    url = f"pickle:///{tmp_path}/todos"
    file.write_text(lines({"content": "a"}) * 2_000)
    with pytest.raises(TransferError, match="temporary .*full.*TMPDIR.* Nothing was imported"):
        await import_into(url, file)
    assert await contents(url) == []
