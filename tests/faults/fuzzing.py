"""Many cases of a kind, each made by its number, in a process that may not survive them.

`python -m tests.faults.fuzzing KIND --seed S --case N` repeats one case and shows what it is.
"""

import argparse
import asyncio
import faulthandler
import gc
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from mmap import mmap
from pathlib import Path
from random import Random
from types import TracebackType

_ROOM = 48 << 20
"""Bytes that the process may take beyond what it has at the start: no case comes close."""

_SECONDS = 10.0
"""Time that one case may take of a processor, hundreds of times what any one needs."""

_FAILURES_MOST = 5
_NUMBER_SIZE = 8
_WARM_UP = 50
_ROOM_TO_WARM_UP = 512 << 20
_KINDS = {
    "journals": "tests.faults.fuzzed_journals",
    "records": "tests.faults.fuzzed_journals",
    "bombs": "tests.faults.fuzzed_journals",
    "jsonl": "tests.faults.fuzzed_imports",
    "csv": "tests.faults.fuzzed_imports",
    "backups": "tests.faults.fuzzed_imports",
}
_DANGEROUS = {
    "compile",
    "exec",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "pickle.find_class",
    "socket.connect",
    "subprocess.Popen",
}


class Fuzz(ABC):
    """A kind of files, and what must hold for whatever becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    async def try_one(self, random: Random) -> str:
        """Make a file, read it, and answer in a word what came of it.

        Raises AssertionError for what must not be, and lets through what nobody expects.
        """


def fuzz(kind: str, files: int, seed: int) -> Counter[str]:
    """Try so many files in a process of their own, and count what came of them.

    Raises AssertionError that names the seed and the number of the case at fault.
    """
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        number = Path(folder) / "number"
        number.write_bytes(bytes(_NUMBER_SIZE))
        asked = [kind, f"--seed={seed}", f"--files={files}", f"--folder={folder}"]
        result = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-m", __name__, *asked],
            env=os.environ | {"MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        last = int.from_bytes(number.read_bytes(), "little")
    told = f"{kind}, seed {seed}: exit code {result.returncode}, last case {last}"
    assert result.returncode == 0, f"{told}\n{result.stdout}\n{result.stderr}"
    counts = (line.rsplit(maxsplit=1) for line in result.stdout.splitlines())
    return Counter({outcome: int(count) for outcome, count in counts})


def _memory() -> str | None:
    """Answer a folder that no disk slows down, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


async def _run(kind: str, seed: int, files: int, folder: Path) -> int:
    """Try one case after the other, and answer the exit code."""
    outcomes: Counter[str] = Counter()
    failures = 0
    fuzzed = _made(kind, folder)
    await _warm_up(fuzzed)
    guard = _Guard()
    with _counter(folder) as counter, _limits():
        for number in range(files):
            counter[:] = number.to_bytes(_NUMBER_SIZE, "little")
            signal.setitimer(signal.ITIMER_PROF, _SECONDS)
            try:
                with guard:
                    outcome = await fuzzed.try_one(_chance(seed, number))
            except Exception:  # of any kind is what this is looking for
                print(f"seed {seed}, case {number}\n{traceback.format_exc()}", file=sys.stderr)
                failures += 1
                if failures == _FAILURES_MOST:
                    break
            else:
                outcomes[outcome] += 1
    for outcome, count in sorted(outcomes.items()):
        print(outcome, count)
    return 1 if failures else 0


async def _show(kind: str, seed: int, number: int, folder: Path) -> int:
    """Try one case, and leave its files in the folder."""
    fuzzed = _made(kind, folder)
    await _warm_up(fuzzed)
    with _limits(), _Guard():
        outcome = await fuzzed.try_one(_chance(seed, number))
    print(outcome)
    return 0


def _made(kind: str, folder: Path) -> Fuzz:
    made: Fuzz = import_module(_KINDS[kind]).KINDS[kind](folder)
    return made


def _chance(seed: int, number: int) -> Random:
    return Random(f"{seed}/{number}")


async def _warm_up(fuzzed: Fuzz) -> None:
    """Let all be imported, compiled and cached that is needed, before limits are set."""
    with _limits(_ROOM_TO_WARM_UP):
        for number in range(_WARM_UP):
            await fuzzed.try_one(_chance(-1, number))
    gc.collect()


@contextmanager
def _counter(folder: Path) -> Iterator[mmap]:
    """Answer bytes that outlive the process."""
    with (folder / "number").open("r+b") as file, mmap(file.fileno(), _NUMBER_SIZE) as counter:
        yield counter


@contextmanager
def _limits(room: int = _ROOM) -> Iterator[None]:
    """Let the process take no more memory than it has, and some room, and not hang."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + room
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    logging.disable()  # of a million torn tails
    faulthandler.register(signal.SIGPROF, chain=True)  # and then it ends the process
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


class _Guard:
    """Ends the process where code is run, or found by its name, while this is entered."""

    def __init__(self) -> None:
        self._armed = False
        sys.addaudithook(self._watch)

    def __enter__(self) -> None:
        self._armed = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._armed = False

    def _watch(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self._armed and event in _DANGEROUS:
            os.write(2, f"{event} must not be\n".encode())
            os.abort()  # whoever reads the file would take an exception for a bad one


def _main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=_KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--case", type=int)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(dir=_memory()))
    if asked.case is None:
        return asyncio.run(_run(asked.kind, asked.seed, asked.files, folder))
    print(folder)
    return asyncio.run(_show(asked.kind, asked.seed, asked.case, folder))


if __name__ == "__main__":
    sys.exit(_main())
