"""What befalls the file of an SQLite storage: locks, a full disk, damage, other files."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from myapp.domain.errors import StorageUnavailable
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.faults.server_process import (
    Answer,
    ServerProcess,
    ask,
    assert_problem,
    create,
    entries,
    told,
    wait_until_ready,
)
from tests.faults.short_ways import DEADLINE, todo
from tests.faults.small_disk import small_disk_at
from tests.programs import required_program
from tests.realistic_entries import realistic_entries
from tests.saving import save_all

_DISK_SIZE = 2 * 1_024 * 1_024
_MOMENT = 0.3
"""Seconds in which a request would be answered if nothing kept it waiting."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file, not there yet."""
    return tmp_path / "storage" / "todos.db"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    with small_disk_at(tmp_path / "disk", _DISK_SIZE) as folder:
        yield folder


def _serve(path: Path) -> ServerProcess:
    return ServerProcess(path.parent, url=f"sqlite:///{path}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep everybody else from writing meanwhile, as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("COMMIT")


def test_a_write_waits_for_that_of_another_process(path: Path) -> None:
    answers: list[Answer] = []
    with _serve(path) as server:

        def write() -> None:
            with closing(server.connect()) as connection:
                answers.append(create(connection, "patient"))

        writing = Thread(target=write)
        with _locked(path):
            writing.start()
            writing.join(_MOMENT)
            assert writing.is_alive() and not answers
        writing.join(DEADLINE)
        kept = [told(answer) for answer in answers]
        assert len(kept) == 1
        with closing(server.connect()) as connection:
            assert entries(connection) == kept


def test_a_file_that_is_locked_for_long_is_told_and_can_still_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TODOAPP_STATEMENT_TIMEOUT", "0.2")
    with _serve(path) as server, closing(server.connect()) as connection:
        kept = [told(create(connection, "before"))]
        with _locked(path):
            for _ in range(3):
                refused = create(connection, "while it is locked")
                assert_problem(refused, 503, "storage-unavailable")
            ready = ask(connection, "GET", "/health/ready")
            assert_problem(ready, 503, "storage-unavailable")
            assert entries(connection) == kept
        wait_until_ready(connection)
        kept.append(told(create(connection, "after")))
        assert entries(connection) == kept


def test_a_full_disk_is_told_and_once_it_has_space_again_saves_are_taken(
    small_disk: Path,
) -> None:
    path = small_disk / "storage" / "todos.db"
    with _serve(path) as server, closing(server.connect()) as connection:
        kept = [told(create(connection, "before the disk is full"))]
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space"):
                for _ in range(_DISK_SIZE):
                    file.write(bytes(1_024))
        while (answer := create(connection, "entry", "x" * 10_000)).status == 201:
            kept.append(told(answer))
            assert len(kept) < _DISK_SIZE / 10_000
        assert_problem(answer, 507, "storage-full")
        assert_problem(create(connection, "still full", "x" * 10_000), 507, "storage-full")
        assert ask(connection, "GET", "/health/live").status == 200
        assert entries(connection) == kept

        filler.unlink()
        wait_until_ready(connection)
        kept.append(told(create(connection, "after the disk was full", "x" * 10_000)))
        assert entries(connection) == kept
    with _serve(path) as server, closing(server.connect()) as connection:
        assert entries(connection) == kept


async def test_a_disk_that_cannot_be_written_is_named_and_works_once_it_can(
    small_disk: Path,
) -> None:
    url = f"sqlite:///{small_disk}/todos.db"
    async with open_storage(url) as repository:
        stored = await save_all(repository, todo(1))
    _remount(small_disk, "ro")
    with pytest.raises(StorageUnusable, match="todos.db cannot be used"):
        async with open_storage(url):
            pass
    _remount(small_disk, "rw")
    async with open_storage(url) as repository:
        assert (await repository.find(TodoQuery())).entries == stored


async def test_a_disk_that_cannot_be_written_is_not_waited_for(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/todos.db"
    async with open_storage(url):
        pass
    with closing(sqlite3.connect(small_disk / "todos.db")) as file:
        file.execute("PRAGMA journal_mode = DELETE")
    _remount(small_disk, "ro")
    patient = StorageOptions(statement_timeout=DEADLINE)
    with pytest.raises(StorageUnusable, match="readonly"):
        async with asyncio.timeout(DEADLINE / 2), open_storage(url, patient):
            pass


def _remount(folder: Path, how: str) -> None:
    command = [required_program("mount"), "-o", f"remount,{how}", str(folder)]
    subprocess.run(command, check=True, timeout=DEADLINE)


def _make_database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(
            lambda path: path.write_bytes(b"buy oat milk\n" * 1_000),
            "not a database",
            id="text",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(84)),
            "",
            id="the beginning of a database",
        ),
        pytest.param(
            lambda path: _make_database(path, "CREATE TABLE todo_entry (id)"),
            "another application",
            id="another database",
        ),
        pytest.param(
            lambda path: _make_database(
                path, "PRAGMA application_id = 7", "CREATE TABLE a (b)"
            ),
            "another application",
            id="a database of a named application",
        ),
        pytest.param(
            lambda path: _make_database(
                path, "PRAGMA journal_mode = WAL", "CREATE TABLE a (b)"
            ),
            "another application",
            id="another database with a log",
        ),
    ],
)
async def test_a_file_that_is_not_a_storage_is_refused_and_not_touched(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "todos.db"
    make(path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(StorageUnusable, match=f"{path} cannot be used .*{reason}"):
        async with open_storage(f"sqlite:///{path}"):
            pass
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


async def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageUnusable, match=f"{tmp_path} cannot be used"):
        async with open_storage(f"sqlite:///{tmp_path}"):
            pass


async def test_opening_a_file_twice_leaves_the_locks_of_the_first_time(tmp_path: Path) -> None:
    """A process that takes the file for unused would remove the log that others write to."""
    path = tmp_path / "todos.db"
    async with open_storage(f"sqlite:///{path}") as first:
        kept = await save_all(first, todo(1))
        async with open_storage(f"sqlite:///{path}"):
            pass
        _read_elsewhere(path)
        assert path.with_name("todos.db-wal").exists()
        kept += await save_all(first, todo(2))
    async with open_storage(f"sqlite:///{path}") as again:
        assert (await again.find(TodoQuery())).entries == kept


def _read_elsewhere(path: Path) -> None:
    """Open, read and close the file in a process of its own."""
    read = f"import sqlite3; file = sqlite3.connect({str(path)!r});"
    read += "file.execute('SELECT count(*) FROM todo_entry').fetchone(); file.close()"
    subprocess.run([sys.executable, "-c", read], check=True, timeout=DEADLINE)


@pytest.mark.parametrize("name", ["todos.db", "link"])
async def test_only_its_owner_may_read_a_new_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("todos.db")
    async with open_storage(f"sqlite:///{tmp_path}/{name}"):
        pass
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "todos.db").stat().st_mode) == 0o600


async def test_who_gives_up_waiting_for_a_locked_file_is_told_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def nothing() -> AsyncIterator[Sequence[TodoEntry]]:
        yield []

    url = f"sqlite:///{tmp_path}/todos.db"
    archive = open_archive(url, StorageOptions(connection_timeout=_MOMENT))
    await archive.migrate()
    with _locked(tmp_path / "todos.db"):
        waiting = asyncio.create_task(archive.load(nothing(), revision=1))
        await asyncio.sleep(_MOMENT)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert caplog.messages == []


async def test_an_empty_file_becomes_a_storage(tmp_path: Path) -> None:
    path = tmp_path / "todos.db"
    path.touch()
    async with open_storage(f"sqlite:///{path}") as repository:
        stored = await save_all(repository, todo(1))
        assert (await repository.find(TodoQuery())).entries == stored


async def test_a_damaged_page_costs_a_request_and_is_no_other_error(tmp_path: Path) -> None:
    path = tmp_path / "todos.db"
    async with open_storage(f"sqlite:///{path}") as repository:
        await repository.save(*realistic_entries(500))
    content = bytearray(path.read_bytes())
    for page in range(len(content) // 4_096 // 2, len(content) // 4_096):
        content[page * 4_096 : page * 4_096 + 100] = b"\xff" * 100
    path.write_bytes(content)
    async with open_storage(f"sqlite:///{path}") as repository:
        with pytest.raises(StorageUnavailable):
            await repository.find(TodoQuery(search="milk", counted=True, limit=1_000))
