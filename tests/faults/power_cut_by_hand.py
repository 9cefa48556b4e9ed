"""Cuts the power of a real file system under load, over and over; for root, with loop devices.

`python -m tests.faults.power_cut_by_hand --rounds 100` mounts an ext4 image that commits by
itself only every five minutes, and lets clients write to a server on it. At some moment the
server is stopped and the file system shut down as it is, with whatever is under way; the image
is copied while it is mounted, and the copy is what the next server has to start from.

With `--without-sync` the server's fsync does nothing, and it is wrong if that is not noticed.
"""

import argparse
import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import closing
from fcntl import ioctl
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from tests.faults.crash_rounds import Rounds, fill
from tests.faults.file_storages import FILE_STORAGES
from tests.faults.server_process import ServerProcess
from tests.faults.short_ways import DEADLINE
from tests.programs import required_program

_SIZE = 64 * 1_024 * 1_024
_COMMIT_EVERY = 300
_LONGEST = 3.0
_TELL_EVERY = 10
_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN of linux/fs.h
_WITHOUT_WRITING_THE_LOG = struct.pack("I", 2)
_NO_SYNC = ("-f", "-q", "-o", "/dev/null", "-e", "trace=fsync,fdatasync")
_PRETEND = ("-e", "inject=fsync,fdatasync:retval=0")


def main() -> None:
    """Cut the power of each storage; exit with 1 if anything was lost, or should have been."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-sync", action="store_true")
    parser.add_argument("--storage", choices=FILE_STORAGES, action="append")
    arguments = parser.parse_args()
    results = [
        _cut_often(kind, arguments.rounds, arguments.without_sync)
        for kind in arguments.storage or FILE_STORAGES
    ]
    sys.exit(0 if all(results) else 1)


def _cut_often(kind: str, rounds: int, without_sync: bool) -> bool:
    """Answer whether all was as it should be."""
    begin = monotonic()
    with TemporaryDirectory() as folder, closing(_Disk(Path(folder))) as disk:
        url = FILE_STORAGES[kind].url(disk.folder / "storage")
        account = Rounds(
            Path(folder) / "server",
            *asyncio.run(fill(url)),
            url=url,
            tracer=(required_program("strace"), *_NO_SYNC, *_PRETEND) if without_sync else (),
            longest=_LONGEST,
        )
        try:
            for number in range(rounds):
                account.crash(disk.cut)
                disk.restart()
                if number % _TELL_EVERY == _TELL_EVERY - 1:
                    print(f"{kind}: {account.summary()} so far", flush=True)
            account.check()
            failure = None
        except Exception as error:  # whatever it is, a power cut must not lead to it
            failure = error
        seconds = monotonic() - begin
        print(f"{kind}: {account.summary()}, {seconds:.0f} s", flush=True)
        if failure is not None:
            print(f"{failure!r:.2000}", flush=True)
        return (failure is not None) == without_sync


class _Disk:
    """A file system in a file, mounted at `folder`, whose power can be cut."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "disk"
        self._image = place / "image"
        self._copy = place / "copy"
        self._device = ""
        self.folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_SIZE)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()

    def cut(self, server: ServerProcess) -> None:
        """Stop a server and the disk in the midst of it all, and keep what the disk has."""
        os.killpg(server.pid, signal.SIGSTOP)  # or it would tell clients of the failing disk
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            ioctl(descriptor, _SHUTDOWN, _WITHOUT_WRITING_THE_LOG)
        finally:
            os.close(descriptor)
        self._wait_for_device()
        _run("cp", "--sparse=always", str(self._image), str(self._copy))
        server.kill()

    def restart(self) -> None:
        """Go on with what the disk had when its power was cut."""
        self.close()
        shutil.move(self._copy, self._image)
        self._mount()

    def close(self) -> None:
        """Unmount it, once the last process on it is gone: that may just have been killed."""
        end = monotonic() + DEADLINE
        while True:
            try:
                _run("umount", str(self.folder))
                break
            except subprocess.CalledProcessError:
                if monotonic() > end:
                    raise
                sleep(0.1)
        _run("losetup", "--detach", self._device)

    def _mount(self) -> None:
        # Without direct I/O what the disk has would be in the cache of another file system.
        self._device = _run("losetup", "--find", "--show", "--direct-io=on", str(self._image))
        _run("mount", "-o", f"commit={_COMMIT_EVERY}", self._device, str(self.folder))

    def _wait_for_device(self) -> None:
        """Let what the device had begun to write end: a copy takes longer than an instant."""
        under_way = Path("/sys/block", Path(self._device).name, "inflight")
        while any(map(int, under_way.read_text().split())):
            sleep(0.001)


def _run(command: str, *arguments: str) -> str:
    """Answer what a command says; raises CalledProcessError."""
    done = subprocess.run(
        [required_program(command), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
