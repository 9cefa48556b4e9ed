"""Servers in processes of their own, each held to the cores that are meant for it.

Bandit warns of subprocesses started from input; what is started are the contenders.
"""

import os
import socket

# What is started is named in this program, without a shell.
import subprocess  # nosec B404
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import perf_counter, sleep

PATIENCE = 300.0
"""Seconds that a server may take to start, or to stop."""

_CHANGING = ("TODO", "PYTHONDONTWRITEBYTECODE")  # without bytecode each start compiles all anew
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(_CHANGING)
} | {"PYTHONPATH": str(Path(__file__).parents[2])}
"""What servers find: nothing that would change the settings of this service, or its start."""

_PAUSE = 0.002
_REST = 0.1
_LAST_OF_LOG = 2_000


class ProcessFailed(Exception):
    """A server did not start, or a command did not do what it is for."""


class TooFewCores(Exception):
    """There is no core left to make load with."""


@dataclass(frozen=True)
class Cores:
    """Which core serves, which does too where two are wanted, and which do all the rest."""

    first: int
    second: int
    others: frozenset[int]

    @classmethod
    def available(cls) -> "Cores":
        """Answer those that this process may use; raises TooFewCores."""
        first, *others = sorted(os.sched_getaffinity(0))
        if not others:
            raise TooFewCores("Two cores are needed: one serves, and the other asks.")
        return cls(first, others[0], frozenset(others))


@contextmanager
def held_to(cores: frozenset[int]) -> Iterator[None]:
    """Hold this thread, and the processes that it starts meanwhile, to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Launch:
    """How a server is started: a command, and what its environment has besides ours."""

    command: Sequence[str]
    ready: str
    """A path that it answers well once it serves."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, its port, and the seconds until it was ready."""

    pid: int
    port: int
    seconds: float

    def memory(self) -> int:
        """Answer the bytes of memory that it has by now, with all of its processes."""
        return sum(map(_resident, _family(self.pid)))

    def rest(self) -> None:
        """Wait until it has done what it was asked for and nobody waits for any more."""
        deadline = perf_counter() + PATIENCE
        before = worked(self.pid)
        while perf_counter() < deadline:
            sleep(_REST)
            before, last = worked(self.pid), before
            if before - last < _REST / 4:
                break


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command in a folder to its end; raises ProcessFailed."""
    given = {**ENVIRONMENT, **(environment or {})}
    # Here and below, commands of the benchmark's own, without a shell.
    ran = subprocess.run(  # nosec B603
        command,
        cwd=folder,
        env=given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    if ran.returncode != 0:
        raise ProcessFailed(f"{' '.join(command)}\n{ran.stdout[-_LAST_OF_LOG:]}")


def worked(pid: int) -> float:
    """Answer the seconds of a processor that a process and its children have used by now."""
    return sum(map(_processor_seconds, _family(pid)))


@contextmanager
def running(
    launch: Callable[[int], Launch], cores: frozenset[int], folder: Path
) -> Iterator[Server]:
    """Start a server that works in a folder, and stop it in the end; raises ProcessFailed.

    It is launched on a port that nobody listens on. What it writes goes to a file, as a log
    usually does.
    """
    port = _free_port()
    launched = launch(port)
    log = folder / "log"
    begin = perf_counter()
    with open(log, "wb") as output, held_to(cores):
        process = subprocess.Popen(  # nosec B603
            launched.command,
            cwd=folder,
            env={**ENVIRONMENT, **launched.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while not _is_ready(port, launched.ready):
            if process.poll() is not None or perf_counter() - begin > PATIENCE:
                told = log.read_text("utf-8", errors="replace")[-_LAST_OF_LOG:]
                raise ProcessFailed(f"{' '.join(launched.command)}\n{told}")
            sleep(_PAUSE)
        yield Server(process.pid, port, perf_counter() - begin)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def _is_ready(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, HTTPException):  # it does not listen yet
        return False
    finally:
        connection.close()


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError):  # it has just ended
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        for child in map(int, children.split()):
            yield from _family(child)


def _resident(pid: int) -> int:
    with suppress(FileNotFoundError):  # as above
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1_024
    return 0


def _processor_seconds(pid: int) -> float:
    with suppress(FileNotFoundError):  # as above
        told = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        # Of itself, and of its children that have ended.
        return sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0
