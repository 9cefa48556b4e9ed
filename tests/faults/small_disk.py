"""A disk that is small enough to be filled."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.short_ways import DEADLINE
from tests.programs import required_program, unavailable


@contextmanager
def small_disk_at(folder: Path, size: int, *, files: int = 0) -> Iterator[Path]:
    """Mount a disk of so many bytes, and files (0: any number), at a folder meanwhile.

    A folder that is there is hidden meanwhile, with all that is in it.
    """
    mount, unmount = required_program("mount"), required_program("umount")
    folder.mkdir(exist_ok=True)
    options = f"size={size},nr_inodes={files}"
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode:
        unavailable(f"no disk can be mounted: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run([unmount, str(folder)], check=True, timeout=DEADLINE)
