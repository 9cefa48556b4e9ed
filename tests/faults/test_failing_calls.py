"""Whichever system call fails, every entry is old or new, and what was acknowledged is there.

A process goes through the stages of a storage; in each of its file operations in turn strace
injects an error or a SIGKILL, and each write in turn is cut short by a limit that the system
enforces. FAILING_CALLS sets how many of these faults are tried for each storage: by default a
few, at random under FAILING_SEED; "all" takes some hours.
"""

import asyncio
import os
import resource
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from signal import SIGKILL

import pytest

from tests.faults.file_storages import FILE_STORAGES, FileStorage
from tests.faults.power_cuts import Promises, check_start
from tests.faults.recorded_calls import Call, read_calls
from tests.faults.recording_disk import Said
from tests.faults.staged_process import StagedProcess, Tracer, recorded
from tests.faults.stages import Failed, Refused, Stage

_MOST = os.environ.get("FAILING_CALLS", "6")
_SEED = int(os.environ.get("FAILING_SEED", "1"))

_ERRORS = ("error=EIO", "error=ENOSPC", "error=EDQUOT")
_KILL = "signal=SIGKILL"
_EFFECTS: Mapping[str, Sequence[str]] = {
    "openat": (*_ERRORS, _KILL),
    "mkdir": (*_ERRORS, _KILL),
    "read": _ERRORS[:1],
    "pread64": _ERRORS[:1],
    "pwrite64": (*_ERRORS, _KILL),
    "ftruncate": (*_ERRORS, _KILL),
    "fsync": (*_ERRORS, _KILL),
    "fdatasync": (*_ERRORS, _KILL),
    "rename": (*_ERRORS, _KILL),
    "unlink": (*_ERRORS, _KILL),
    "flock": _ERRORS[:1],
    "close": _ERRORS,
}
"""What is done to each call: killing a process where it only looks is nothing new."""

_OPENING = ("open", "read the journal", "connect")

_End = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Injected:
    """In a stage, of each thread's calls of one name, the one of this number has an effect."""

    stage: str
    call: str
    number: int
    effect: str

    def begin(self, process: StagedProcess, log: Path, paths: Sequence[str]) -> _End:
        """Inflict it on calls that concern the paths, and answer how to end it."""
        only = [argument for path in paths for argument in ("-P", path)]
        inject = f"inject={self.call}:{self.effect}:when={self.number}"
        return Tracer(process, log, *only, "-e", f"trace={self.call}", "-e", inject).detach


@dataclass(frozen=True, slots=True)
class _CutShort:
    """In a stage, no file takes more than so many bytes: the write that does is cut short."""

    stage: str
    size: int

    def begin(self, process: StagedProcess, _log: Path, _paths: Sequence[str]) -> _End:
        """Inflict it on all files, and answer how to end it."""
        process.limit_files(self.size)
        return lambda: process.limit_files(resource.RLIM_INFINITY)


_Fault = _Injected | _CutShort


@pytest.mark.parametrize("kind", FILE_STORAGES)
@pytest.mark.parametrize("traces", ["nothing", "traces of a killed process"])
def test_whatever_call_fails_each_entry_is_old_or_new_and_what_was_acknowledged_is_there(
    kind: str, traces: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = _Victim(tmp_path, FILE_STORAGES[kind])
    faults = victim.faults()
    if traces != "nothing":
        victim.begin_where_a_process_was_killed()
        faults = [fault for fault in victim.faults() if fault.stage in _OPENING]
    chosen = faults if _MOST == "all" else Random(_SEED).sample(faults, int(_MOST))
    outcomes = Counter[str]()
    failures = []
    for fault in chosen:
        try:
            outcomes[victim.suffer(fault)] += 1
        except Exception as error:  # one may explain another
            failures.append(error)
    with capsys.disabled():
        print(f"\n{kind} after {traces}: {len(chosen)} of {len(faults)} faults: {outcomes}")
    if failures:
        raise ExceptionGroup("it does not hold", failures)


class _Victim:
    """A storage in whose calls everything that can fail does, one after the other."""

    def __init__(self, folder: Path, storage: FileStorage) -> None:
        self._storage = storage
        self._folder = folder / "parent" / "storage"
        self._folder.parent.mkdir()
        self._url = storage.url(self._folder)
        self._log = folder / "log"
        self._before = folder / "before"
        self._told_before: list[object] = []
        self._paths: dict[str, None] = {}

    def begin_where_a_process_was_killed(self) -> None:
        """Let all that follows find what a process left that was killed while it worked."""
        with closing(StagedProcess(self._url)) as process:
            for message in process.told():
                self._told_before.append(message)
                if message == Stage("compact"):
                    break
                if isinstance(message, Stage):
                    process.go_on()
        self._storage.tear(self._folder)
        self._folder.rename(self._before)

    def faults(self) -> Sequence[_Fault]:
        """Answer what can be done to the calls of a process that goes through all stages."""
        self._begin_anew()
        descriptor, said = recorded(self._url, self._log)
        stage = "open"
        numbers = Counter[tuple[int, str]]()
        faults: dict[_Fault, None] = {}
        for call in read_calls(self._log, descriptor, said):
            if isinstance(call, Said):
                if isinstance(call.what, Stage):
                    stage = call.what.name
                    numbers.clear()
            elif self._concerned(call):
                numbers[call.thread, call.name] += 1
                number = numbers[call.thread, call.name]
                faults |= dict.fromkeys(_faults_of(call, stage, number))
        return [*faults]

    def suffer(self, fault: _Fault) -> str:
        """Go through all stages with this fault and start again; answer how that went."""
        self._begin_anew()
        promises = Promises()
        for message in self._told_before:
            promises.take(message)
        try:
            told, code = self._go_through(fault)
            for message in told:
                promises.take(message)
            asyncio.run(check_start(self._folder, self._storage.opened, promises))
            return self._outcome(fault, told, code)
        except Exception as error:  # whichever it is, it needs to be known by what
            error.add_note(f"with {fault}")
            raise

    def _begin_anew(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._before.exists():
            shutil.copytree(self._before, self._folder)

    def _concerned(self, call: Call) -> bool:
        """Whether a call is about files of the storage; their paths are kept."""
        above = self._folder.parent
        paths = [path for path in call.paths if Path(path).is_relative_to(above)]
        self._paths |= dict.fromkeys(paths)
        return bool(paths)

    def _go_through(self, fault: _Fault) -> tuple[Sequence[object], int]:
        """Answer what the process told, and how it ended; the fault ends where it is told."""
        told: list[object] = []
        end: _End | None = None
        with closing(StagedProcess(self._url)) as process:
            for message in process.told():
                told.append(message)
                if isinstance(message, Stage | Refused):
                    if end is not None:
                        end()
                        end = None
                    if message == Stage(fault.stage):
                        end = fault.begin(process, self._log, [*self._paths])
                    process.go_on()
            code = process.ended()
            if end is not None:
                end()  # not before: strace may wait for ever if told to stop right then
            return told, code

    def _outcome(self, fault: _Fault, told: Sequence[object], code: int) -> str:
        if isinstance(fault, _Injected) and fault.effect == _KILL:
            assert code == -SIGKILL
            return "killed"
        assert code == 0, told
        if isinstance(fault, _Injected):
            assert "(INJECTED)" in self._log.read_text()
        if isinstance(told[-1], Failed):
            if fault.stage in _OPENING:
                return "did not start"
            assert isinstance(fault, _Injected) and fault.call == "close"
            return "did not close"
        if any(isinstance(message, Refused) for message in told):
            return "refused, recovered"
        return "not noticed"


def _faults_of(call: Call, stage: str, number: int) -> Iterator[_Fault]:
    for effect in _EFFECTS[call.name]:
        yield _Injected(stage, call.name, number, effect)
    if call.name == "pwrite64":
        yield _CutShort(stage, int(call.arguments[3]) + int(call.arguments[2]) // 2)
