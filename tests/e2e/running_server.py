"""The service as a process of its own, started, watched and stopped from outside."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from myapp.infrastructure.server.options import ConnectionOptions

SERVE = (sys.executable, "-m", "myapp.app")
COMMAND_LINE = (sys.executable, "-m", "myapp")

PATIENCE = 30.0
"""Seconds that anything may take before it is held to have failed."""

_ROOT = Path(__file__).parents[2]
_PAUSE = 0.01
_FILES_BESIDE = 256  # that a service wants to have open besides its connections


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and all that it wrote."""

    code: int
    out: str
    err: str


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Answer once the condition holds; fails if it does not within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(_PAUSE)


def clean_environment() -> dict[str, str]:
    """Answer the environment without what would set up a service, Python or a proxy."""
    foreign = ("TODO_APP_", "TODOAPP_", "XDG_", "PYTHON")
    outside = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and not name.lower().endswith("_proxy")
    }
    return outside | {"PYTHONPATH": str(_ROOT)}


def _modest() -> dict[str, str]:
    """Answer settings by which no start warns that fewer files may be open than it wants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ConnectionOptions().max_connections + _FILES_BESIDE
    is_enough = most == resource.RLIM_INFINITY or most >= wanted
    return {} if is_enough else {"TODOAPP_MAX_CONNECTIONS": str(most - _FILES_BESIDE)}


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a process that leads a group end if it runs, and leave nothing of it behind."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):  # as it should be: nothing is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A process and the files that take what it writes."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    @property
    def storage(self) -> str:
        """The storage's URL, as the process has told it."""
        return self._told("storage")

    @property
    def url(self) -> str:
        """The URL of the service, with no slash at its end."""
        return self._told("address").removesuffix("/todo")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def client(self) -> httpx2.Client:
        """A client of the service, to be entered."""
        return httpx2.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def wait_until_it_serves(self) -> None:
        """Answer once it has told where it serves; fails if it ends first."""
        wait_until(lambda: self._told("docs") != "" or self._has_ended(), "it serves")
        assert not self._has_ended(), f"it does not serve:\n{self.err.read_text('utf-8')}"

    def wait(self) -> Ended:
        """Answer how it ended; fails if it does not end in time."""
        code = self.process.wait(PATIENCE)
        return Ended(code, self.out.read_text("utf-8"), self.err.read_text("utf-8"))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Ask it to end by a signal, and answer how it did."""
        self.process.send_signal(number)
        return self.wait()

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    def _told(self, name: str) -> str:
        """Answer the rest of the whole line that starts with the name, if it is there."""
        for line in self.out.read_text("utf-8").splitlines(keepends=True):
            if line.startswith(f"  {name} ") and line.endswith("\n"):
                return line.removeprefix(f"  {name} ").strip()
        return ""


@contextmanager
def launching(folder: Path) -> Iterator["Launcher"]:
    """Answer what starts processes, given a new folder; stop those that run at the end."""
    launcher = Launcher(folder)
    for home in (launcher.working_folder, *launcher.homes.values()):
        home.mkdir(parents=True)
    try:
        yield launcher
    finally:
        for server in launcher.started:
            end(server.process)


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator["RunningServer"]:
    """Answer a service on a storage of its own in a folder, with settings by short names."""
    named = {f"TODOAPP_{name.upper()}": value for name, value in settings.items()}
    with launching(folder / "launcher") as launcher:
        yield launcher.serve({"TODOAPP_STORAGE_DIR": str(folder / "storage"), **named})


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts processes in a home and a working folder of their own, with no settings.

    What is given as settings is all that they find in their environment besides, and that
    there may be fewer connections, where fewer files may be open than they would take.
    """

    folder: Path
    started: list[RunningServer] = field(default_factory=list)

    @property
    def working_folder(self) -> Path:
        """The folder that processes start in, where a file .env would be read."""
        return self.folder / "working folder"

    @property
    def homes(self) -> dict[str, Path]:
        """The folders that processes may take for the user's."""
        return {"HOME": self.folder / "home", "TMPDIR": self.folder / "temporary"}

    @property
    def environment(self) -> dict[str, str]:
        """What every process finds, settings aside."""
        return clean_environment() | {name: str(home) for name, home in self.homes.items()}

    def start(
        self, settings: Mapping[str, str], command: tuple[str, ...] = SERVE
    ) -> RunningServer:
        """Start a process on any free port unless the settings name one, and answer it."""
        number = len(self.started)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                command,
                cwd=self.working_folder,
                env=self.environment | _modest() | {"TODOAPP_PORT": "0"} | dict(settings),
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                process_group=0,
            )
        server = RunningServer(process, out, err)
        self.started.append(server)
        return server

    def serve(
        self, settings: Mapping[str, str], command: tuple[str, ...] = SERVE
    ) -> RunningServer:
        """Start a process and answer it once it serves."""
        server = self.start(settings, command)
        server.wait_until_it_serves()
        return server

    def run(self, settings: Mapping[str, str], command: tuple[str, ...] = SERVE) -> Ended:
        """Start a process that is expected to end by itself, and answer how it did."""
        return self.start(settings, command).wait()
