"""A server process on a disk that is really full, or whose fsync the system really fails."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.server_process import (
    ServerProcess,
    ask,
    assert_problem,
    create,
    entries,
    told,
    wait_until_ready,
)
from tests.faults.short_ways import DEADLINE
from tests.faults.small_disk import small_disk_at
from tests.programs import required_program, unavailable

_DISK_SIZE = 512 * 1_024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    with small_disk_at(tmp_path / "disk", _DISK_SIZE) as folder:
        yield folder


@pytest.fixture
def tracer() -> list[str]:
    """Answer the strace command, to be completed by what to trace and what to inject."""
    strace = required_program("strace")
    done = subprocess.run([strace, "true"], capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode:
        unavailable(f"nothing can be traced: {done.stderr}")
    return [strace, "-f", "-q", "-o", "/dev/null"]


def test_a_full_disk_is_told_and_once_it_has_space_again_saves_are_taken(
    small_disk: Path,
) -> None:
    with ServerProcess(small_disk / "storage") as server:
        connection = server.connect()
        kept = [told(create(connection, "before the disk is full"))]
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space"):
                for _ in range(_DISK_SIZE):
                    file.write(bytes(1_024))

        # What is left of the journal's last block takes some small entries more.
        for number in range(_DISK_SIZE):
            answer = create(connection, f"entry {number}", "x" * 500)
            if answer.status != 201:
                assert_problem(answer, 507, "storage-full")
                ready = ask(connection, "GET", "/health/ready")
                if ready.status != 200:
                    break
            else:
                kept.append(told(answer))
        assert_problem(ready, 503, "storage-unavailable")
        assert ask(connection, "GET", "/health/live").status == 200
        assert entries(connection) == kept
        assert_problem(create(connection, "still full"), 507, "storage-full")

        connection.close()
    with ServerProcess(small_disk / "storage") as server:
        connection = server.connect()
        assert entries(connection) == kept
        answer = create(connection, "too large for what is left", "x" * 10_000)
        assert_problem(answer, 507, "storage-full")

        filler.unlink()
        wait_until_ready(connection)
        kept.append(told(create(connection, "after the disk was full")))
        assert entries(connection) == kept
        connection.close()
    with ServerProcess(small_disk / "storage") as server:
        connection = server.connect()
        assert entries(connection) == kept
        connection.close()
    assert not list((small_disk / "storage").glob("todo.torn*"))


def test_a_failed_fsync_is_told_and_recovered_from_without_a_restart(
    tmp_path: Path, tracer: list[str]
) -> None:
    folder = tmp_path / "storage"
    with ServerProcess(folder) as server:
        connection = server.connect()
        kept = [told(create(connection, f"entry {number}")) for number in range(3)]
        connection.close()

    # Each thread counts for itself, the journal's from the start on: some save will fail.
    failing = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=8"]
    with ServerProcess(folder, tracer=[*tracer, *failing]) as server:
        connection = server.connect()
        before = (folder / "todo.journal").stat().st_ino
        while (refused := create(connection, "kept unless refused")).status == 201:
            kept.append(told(refused))
            assert len(kept) < 20
        assert_problem(refused, 503, "storage-unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert entries(connection) == kept
        wait_until_ready(connection)
        assert (folder / "todo.journal").stat().st_ino != before
        assert entries(connection) == kept
        kept.append(told(create(connection, "later")))
        assert kept[-1][1] == kept[-2][1] + 2
        connection.close()
    with ServerProcess(folder) as server:
        connection = server.connect()
        assert entries(connection) == kept
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
        while (answer := create(connection, "kept unless refused")).status == 201:
            kept.append(told(answer))
            assert len(kept) < 20
        for _ in range(20):
            assert_problem(create(connection, "refused"), 503, "storage-unavailable")
            ready = ask(connection, "GET", "/health/ready")
            assert_problem(ready, 503, "storage-unavailable")
            assert entries(connection) == kept
        connection.close()
    with ServerProcess(folder) as server:
        connection = server.connect()
        assert entries(connection)[: len(kept)] == kept
        connection.close()
