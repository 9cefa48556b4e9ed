"""A disk that is small enough to be filled."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.short_ways import DEADLINE, program, unavailable


@contextmanager
def small_disk_at(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk of so many bytes at a new folder meanwhile."""
    mount, unmount = program("mount"), program("umount")
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode:
        unavailable(f"no disk can be mounted: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run([unmount, str(folder)], check=True, timeout=DEADLINE)
