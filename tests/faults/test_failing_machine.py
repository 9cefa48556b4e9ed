"""A server process on a disk that is really full, or whose fsync the system really fails."""

import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.faults.server_process import Answer, ServerProcess, ask
from tests.faults.short_ways import DEADLINE, program, unavailable

_DISK_SIZE = 512 * 1_024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of half a megabyte meanwhile."""
    mount, unmount = program("mount"), program("umount")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", f"size={_DISK_SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode:
        unavailable(f"no disk can be mounted: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run([unmount, str(folder)], check=True, timeout=DEADLINE)


@pytest.fixture
def tracer() -> list[str]:
    """Answer the strace command, to be completed by what to trace and what to inject."""
    strace = program("strace")
    done = subprocess.run([strace, "true"], capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode:
        unavailable(f"nothing can be traced: {done.stderr}")
    return [strace, "-f", "-q", "-o", "/dev/null"]


def _create(connection: HTTPConnection, content: str, notes: str = "") -> Answer:
    return ask(connection, "POST", "/todo", {"content": content, "notes": notes})


def _told(created: Answer) -> tuple[str, int]:
    """Answer the id and the revision of the entry that was acknowledged."""
    assert created.status == 201
    return created.body, int(created.headers["etag"].strip('"'))


def _entries(connection: HTTPConnection) -> list[tuple[str, int]]:
    """Answer the ids and the revisions of all entries, oldest first."""
    answer = ask(connection, "GET", "/todo?limit=1000")
    assert answer.status == 200 and "link" not in answer.headers
    return [(entry["id"], entry["revision"]) for entry in answer.body]


def _wait_until_ready(connection: HTTPConnection) -> None:
    end = monotonic() + DEADLINE
    while ask(connection, "GET", "/health/ready").status != 200:
        assert monotonic() < end, "it does not recover"
        sleep(0.02)


def _assert_problem(answer: Answer, status: int, slug: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == f"/problems/{slug}"
    assert answer.body["status"] == status


def test_a_full_disk_is_told_and_once_it_has_space_again_saves_are_taken(
    small_disk: Path,
) -> None:
    with ServerProcess(small_disk / "storage") as server:
        connection = server.connect()
        kept = [_told(_create(connection, "before the disk is full"))]
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space"):
                for _ in range(_DISK_SIZE):
                    file.write(bytes(1_024))

        # What is left of the journal's last block takes some small entries more.
        for number in range(_DISK_SIZE):
            answer = _create(connection, f"entry {number}", "x" * 500)
            if answer.status != 201:
                _assert_problem(answer, 507, "storage-full")
                ready = ask(connection, "GET", "/health/ready")
                if ready.status != 200:
                    break
            else:
                kept.append(_told(answer))
        _assert_problem(ready, 503, "storage-unavailable")
        assert ask(connection, "GET", "/health/live").status == 200
        assert _entries(connection) == kept
        _assert_problem(_create(connection, "still full"), 507, "storage-full")

        connection.close()
    with ServerProcess(small_disk / "storage") as server:
        connection = server.connect()
        assert _entries(connection) == kept
        answer = _create(connection, "too large for what is left", "x" * 10_000)
        _assert_problem(answer, 507, "storage-full")

        filler.unlink()
        _wait_until_ready(connection)
        kept.append(_told(_create(connection, "after the disk was full")))
        assert _entries(connection) == kept
        connection.close()
    with ServerProcess(small_disk / "storage") as server:
        connection = server.connect()
        assert _entries(connection) == kept
        connection.close()
    assert not list((small_disk / "storage").glob("todo.torn*"))


def test_a_failed_fsync_is_told_and_recovered_from_without_a_restart(
    tmp_path: Path, tracer: list[str]
) -> None:
    folder = tmp_path / "storage"
    with ServerProcess(folder) as server:
        connection = server.connect()
        kept = [_told(_create(connection, f"entry {number}")) for number in range(3)]
        connection.close()

    # Each thread counts for itself, the journal's from the start on: some save will fail.
    failing = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=8"]
    with ServerProcess(folder, tracer=[*tracer, *failing]) as server:
        connection = server.connect()
        before = (folder / "todo.journal").stat().st_ino
        while (refused := _create(connection, "kept unless refused")).status == 201:
            kept.append(_told(refused))
            assert len(kept) < 20
        _assert_problem(refused, 503, "storage-unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert _entries(connection) == kept
        _wait_until_ready(connection)
        assert (folder / "todo.journal").stat().st_ino != before
        assert _entries(connection) == kept
        kept.append(_told(_create(connection, "later")))
        assert kept[-1][1] == kept[-2][1] + 2
        connection.close()
    with ServerProcess(folder) as server:
        connection = server.connect()
        assert _entries(connection) == kept
        connection.close()


def test_a_disk_that_fails_for_good_still_lets_everything_be_read(
    tmp_path: Path, tracer: list[str]
) -> None:
    folder = tmp_path / "storage"
    with ServerProcess(folder):
        pass
    failing = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=8+"]
    with ServerProcess(folder, tracer=[*tracer, *failing]) as server:
        connection = server.connect()
        kept = []
        while (answer := _create(connection, "kept unless refused")).status == 201:
            kept.append(_told(answer))
            assert len(kept) < 20
        for _ in range(20):
            _assert_problem(_create(connection, "refused"), 503, "storage-unavailable")
            ready = ask(connection, "GET", "/health/ready")
            _assert_problem(ready, 503, "storage-unavailable")
            assert _entries(connection) == kept
        connection.close()
    with ServerProcess(folder) as server:
        connection = server.connect()
        assert _entries(connection)[: len(kept)] == kept
        connection.close()
