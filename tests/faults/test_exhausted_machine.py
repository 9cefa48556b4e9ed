"""What a service needs of the machine is used up, and given back: it says so, and goes on.

MEMORY_LIMITS sets how many limits of memory are tried: by default one for each storage.
"""

import os
import resource
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.pickle_todo_entry_repository import JOURNAL
from myapp.infrastructure.database.storage import open_storage, pickle_url
from tests.faults import sweeping_server
from tests.faults.file_storages import FILE_STORAGES
from tests.faults.server_process import (
    Answer,
    ServerProcess,
    ask,
    assert_problem,
    create,
    create_in_the_end,
    entries,
    serving,
    stored,
    told,
    wait_until_not_ready,
)
from tests.faults.short_ways import DEADLINE, all_entries, check_history, todo
from tests.faults.small_disk import small_disk_at
from tests.programs import required_program, unavailable

_MEMORY_LIMITS = int(os.environ.get("MEMORY_LIMITS", "1"))
_MEGABYTE = 1_048_576
_FILES = 24
_LENGTH = 16_000
_FAILURES, _WRITES = 6, 40
_WATCHED = 1.0
"""Seconds in which a server that is in a loop would use a processor up."""

_on_both = pytest.mark.parametrize("kind", FILE_STORAGES)


@pytest.fixture
def few_files(tmp_path: Path) -> Iterator[Path]:
    """A disk with space for a few files only, however small."""
    with small_disk_at(tmp_path / "disk", 16 * _MEGABYTE, files=_FILES) as folder:
        yield folder


@contextmanager
def _no_inode_left(disk: Path) -> Iterator[None]:
    """Let there be no room for another file meanwhile."""
    hoard = disk / "hoard"
    hoard.mkdir()
    with pytest.raises(OSError, match="No space"):
        for number in range(_FILES):
            (hoard / f"{number}").touch()
    yield
    for file in hoard.iterdir():
        file.unlink()
    hoard.rmdir()


@_on_both
async def test_without_an_inode_for_its_files_a_service_does_not_start_and_later_does(
    few_files: Path, kind: str
) -> None:
    url = FILE_STORAGES[kind].url(few_files / "storage")
    with _no_inode_left(few_files):
        with pytest.raises(StorageUnusable, match="storage.* cannot be used .*No space"):
            async with open_storage(url):
                pass
    async with open_storage(url) as repository:
        await repository.save(todo(1))


async def test_without_an_inode_a_journal_takes_saves_and_is_compacted_once_there_is_one(
    few_files: Path,
) -> None:
    folder = few_files / "storage"
    journal = folder / JOURNAL
    with ServerProcess(folder, module=sweeping_server.__name__) as server:
        with closing(server.connect()) as connection:
            entry_id, _ = told(create(connection, "x"))
            with _no_inode_left(few_files):
                _change_until(
                    lambda: "could not be compacted" in server.log(), connection, entry_id
                )
                number = journal.stat().st_ino
            last = _change_until(lambda: journal.stat().st_ino != number, connection, entry_id)
    async with open_storage(pickle_url(folder)) as repository:
        (entry,) = (await all_entries(repository)).values()
    assert entry.content == last


def _change_until(
    condition: Callable[[], bool], connection: HTTPConnection, entry_id: str
) -> str:
    """Change an entry's content until something has happened; answer what it is then."""
    end = monotonic() + DEADLINE
    for number in count():
        content = f"change {number}"
        answer = ask(connection, "PATCH", f"/todo/{entry_id}", {"content": content})
        assert answer.status == 200, answer
        if condition():
            return content
        assert monotonic() < end, "it does not happen"
    raise AssertionError


@pytest.fixture
def read_only() -> Iterator[Callable[[Path, bool], None]]:
    """Lets a folder and its files be read only, or be written again; for root, too."""
    marked: set[Path] = set()
    chattr = required_program("chattr")

    def mark(folder: Path, is_read_only: bool) -> None:
        # SQLite maps one into memory; who writes to that, the system ends in place of an error.
        paths = [folder, *(path for path in folder.iterdir() if path.suffix != ".db-shm")]
        command = [chattr, "+i" if is_read_only else "-i", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode:
            unavailable(f"nothing can be made read only: {done.stderr}")
        (marked.add if is_read_only else marked.discard)(folder)

    yield mark
    for folder in [*marked]:
        mark(folder, False)


@_on_both
async def test_a_folder_that_is_read_only_is_told_and_written_again_once_it_is_not(
    tmp_path: Path, kind: str, read_only: Callable[[Path, bool], None]
) -> None:
    folder = tmp_path / "storage"
    folder.mkdir()
    url = FILE_STORAGES[kind].url(folder)
    with serving(folder, url) as (server, connection):
        kept = [told(create(connection, "before"))]
        read_only(folder, True)
        for _ in range(3):
            assert_problem(create(connection, "refused"), 503, "storage-unavailable")
        wait_until_not_ready(connection)
        assert f"{folder}/todo" in server.log()
        assert entries(connection) == kept

        read_only(folder, False)
        kept.append(told(create_in_the_end(connection, "after")))
        assert entries(connection) == kept
    assert await stored(url) == kept


@_on_both
def test_without_descriptors_new_connections_are_closed_and_the_others_served(
    tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "storage"
    url = FILE_STORAGES[kind].url(folder)
    with serving(folder, url) as (server, connection), ExitStack() as crowd:
        kept = [told(create(connection, "before"))]
        with _limited(server, resource.RLIMIT_NOFILE, _descriptors(server) + 5):
            idle = [
                crowd.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                for _ in range(50)
            ]
            used, began = _processor_time(server), monotonic()
            kept += [told(create(connection, f"entry {number}")) for number in range(3)]
            sleep(_WATCHED)
            assert _processor_time(server) - used < (monotonic() - began) / 2
            assert entries(connection) == kept
            for one in idle:
                one.close()
            kept.append(told(_create_on_a_new_connection(server)))
            assert entries(connection) == kept


def _create_on_a_new_connection(server: ServerProcess) -> Answer:
    end = monotonic() + DEADLINE
    while True:
        try:
            with closing(server.connect()) as connection:
                return create(connection, "after")
        except ConnectionError:
            assert monotonic() < end, "nobody is let in any more"
            sleep(0.02)


@_on_both
async def test_whatever_a_lack_of_memory_does_to_a_process_nothing_acknowledged_is_lost(
    tmp_path: Path, kind: str
) -> None:
    for number in range(_MEMORY_LIMITS):
        folder = tmp_path / f"{number}"
        url = FILE_STORAGES[kind].url(folder)
        writers = [_Writer() for _ in range(4)]
        with ServerProcess(folder, url=url) as server:
            with _limited(server, resource.RLIMIT_AS, _memory(server) + number * _MEGABYTE):
                threads = [Thread(target=writer.write, args=[server]) for writer in writers]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        async with open_storage(url) as repository:
            found = await all_entries(repository)
            await check_history(repository)
            await repository.save(todo(1))
        kept = {(str(entry.id), entry.revision) for entry in found.values()}
        assert kept.issuperset(set().union(*(writer.acknowledged for writer in writers)))
        assert all(len(entry.notes) in (0, _LENGTH) for entry in found.values())
        written = sum(len(writer.acknowledged) for writer in writers)
        failed = sum(writer.failed for writer in writers)
        print(f"\n{kind}, {number} MB left: {written} writes acknowledged, {failed} failed")
        assert failed or number


class _Writer:
    """Writes large entries and reads all of them, whatever comes of it."""

    def __init__(self) -> None:
        self.acknowledged: set[tuple[str, int]] = set()
        self.failed = 0

    def write(self, server: ServerProcess) -> None:
        """Write until some requests have failed, or many more have not."""
        for number in range(_WRITES):
            try:
                with closing(server.connect()) as connection:
                    connection.timeout = 2.0
                    answer = create(connection, f"entry {number}", "x" * _LENGTH)
                    if answer.status == 201:
                        self.acknowledged.add(told(answer))
                    ask(connection, "GET", "/todo?limit=1000")
            except (OSError, HTTPException, ValueError):
                answer = None
            if answer is None or answer.status != 201:
                self.failed += 1
            if self.failed == _FAILURES:
                return


@contextmanager
def _limited(server: ServerProcess, what: int, limit: int) -> Iterator[None]:
    """Let a process have no more of something meanwhile."""
    before = resource.prlimit(server.pid, what)
    resource.prlimit(server.pid, what, (limit, before[1]))
    yield
    with suppress(ProcessLookupError):
        resource.prlimit(server.pid, what, before)


def _descriptors(server: ServerProcess) -> int:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def _memory(server: ServerProcess) -> int:
    """Answer the bytes of the address space in use."""
    pages, *_ = Path(f"/proc/{server.pid}/statm").read_text("ascii").split()
    return int(pages) * resource.getpagesize()


def _processor_time(server: ServerProcess) -> float:
    """Answer the seconds that the process has used a processor (proc(5), stat)."""
    _, _, stat = Path(f"/proc/{server.pid}/stat").read_text("ascii").rpartition(")")
    user, system = stat.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
