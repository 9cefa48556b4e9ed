"""A process that goes through the stages of a storage, and strace to look at it or harm it."""

import resource
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from multiprocessing import get_context
from pathlib import Path

from tests.faults import stages
from tests.faults.recorded_calls import RECORD
from tests.faults.short_ways import DEADLINE
from tests.faults.stages import Stage
from tests.programs import required_program, unavailable

_FORKS = get_context("forkserver")  # each process has all modules from the start
_FORKS.set_forkserver_preload([stages.__name__])


class StagedProcess:
    """See stages; it is killed at the end if it still runs."""

    def __init__(self, url: str) -> None:
        self._connection, others = _FORKS.Pipe()
        self._process = _FORKS.Process(target=stages.run, args=(url, others), daemon=True)
        self._process.start()
        others.close()
        self.descriptor: int = self._connection.recv()

    @property
    def pid(self) -> int:
        """The number by which the system knows the process."""
        assert self._process.pid is not None
        return self._process.pid

    def told(self) -> Iterator[object]:
        """Answer what it tells until it has ended; it waits at each Stage and Refused."""
        try:
            while True:
                assert self._connection.poll(2 * DEADLINE), "it hangs"
                yield self._connection.recv()
        except (EOFError, ConnectionError):
            pass

    def go_on(self) -> None:
        """Let it do what it waits to do."""
        self._connection.send(None)

    def limit_files(self, size: int) -> None:
        """Let it write no further than so many bytes into any file, while it runs."""
        with suppress(ProcessLookupError):
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def ended(self) -> int:
        """Answer how it ended: 0, or the number of the signal that killed it, negated."""
        self._process.join(DEADLINE)
        assert self._process.exitcode is not None
        return self._process.exitcode

    def close(self) -> None:
        """End it if it has not ended."""
        self._process.kill()
        self._process.join(DEADLINE)
        self._process.close()
        self._connection.close()


def recorded(url: str, log: Path) -> tuple[int, Sequence[object]]:
    """Go through all stages under strace; answer what read_calls needs besides the log."""
    said: list[object] = []
    with closing(StagedProcess(url)) as process:
        told = process.told()
        assert next(told) == Stage("open")
        tracer = Tracer(process, log, *RECORD)
        process.go_on()
        for message in told:
            said.append(message)
            if isinstance(message, Stage):
                process.go_on()
        assert process.ended() == 0
        tracer.detach()
        return process.descriptor, said


class Tracer:
    """strace, attached to a process and its threads until detached, or until that ends."""

    def __init__(self, process: StagedProcess, log: Path, *options: str) -> None:
        strace = required_program("strace")
        command = [strace, "-f", "-p", str(process.pid), "-o", str(log), *options]
        self._strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr is not None
        said = self._strace.stderr.readline()
        if "attached" not in said:
            self.detach()
            unavailable(f"nothing can be traced: {said}")

    def detach(self) -> None:
        """Leave the process alone from now on; it must be waiting, or have ended."""
        if self._strace.poll() is None:
            self._strace.send_signal(signal.SIGINT)
        self._strace.communicate(timeout=DEADLINE)
