"""The service as a process of its own, to be killed, and short ways to talk to it."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from myapp import app
from myapp.infrastructure.database.storage import open_storage
from tests.faults.short_ways import DEADLINE, all_entries

Json = Any  # whatever JSON can hold: a test looks for what it expects there

_ADDRESS = re.compile(rb"^  address  http://127\.0\.0\.1:(\d+)/todo$", re.MULTILINE)
_LAST_OF_LOG = 3_000
_ROOT = Path(__file__).parents[2]


class ServerProcess:
    """A server on a folder, listening once this is made; killed at the end if it still runs.

    `url` is that of a storage which is elsewhere than in the folder, `tracer` a command to
    run the server under, and `module` what serves.
    """

    def __init__(
        self,
        folder: Path,
        *,
        url: str = "",
        tracer: Sequence[str] = (),
        module: str = app.__name__,
    ) -> None:
        self._log = folder.with_name(f"{folder.name}.log")
        environment = {
            "TODOAPP_STORAGE_DIR": "" if url else str(folder),
            "TODOAPP_STORAGE_URL": url,
            "TODOAPP_HOST": "127.0.0.1",
            "TODOAPP_PORT": "0",
            "TODOAPP_LOG_LEVEL": "WARNING",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tracer, sys.executable, "-m", module],
                cwd=_ROOT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.port = self._read_port()
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def connect(self) -> HTTPConnection:
        """Answer a connection of one's own, on which nothing waits for ever."""
        return HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def kill(self) -> None:
        """End the process as the system would if it had to, and what it runs under too."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def log(self) -> str:
        """Answer the end of what it has logged, and those before it on the same folder."""
        return self._log.read_text(errors="replace")[-_LAST_OF_LOG:]

    def _read_port(self) -> int:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        told = b""
        end = monotonic() + DEADLINE
        while (found := _ADDRESS.search(told)) is None:
            ready, _, _ = select.select([descriptor], [], [], max(0, end - monotonic()))
            more = os.read(descriptor, 4_096) if ready else b""
            assert more, f"the service does not start: {self.log()}"
            told += more
        return int(found[1])


@contextmanager
def serving(folder: Path, url: str) -> Iterator[tuple[ServerProcess, HTTPConnection]]:
    """Answer a server on a storage in the folder, and a connection to it."""
    with ServerProcess(folder, url=url) as server, closing(server.connect()) as connection:
        yield server, connection


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    body: Json


def ask(
    connection: HTTPConnection,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request and answer the response; raises OSError or HTTPException."""
    content = None if body is None else json.dumps(body)
    declared = {} if content is None else {"Content-Type": "application/json"}
    connection.request(method, path, content, declared | dict(headers or {}))
    with connection.getresponse() as response:
        received = response.read()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            json.loads(received) if received else None,
        )


def create(connection: HTTPConnection, content: str, notes: str = "") -> Answer:
    """Ask for a new entry."""
    return ask(connection, "POST", "/todo", {"content": content, "notes": notes})


def told(created: Answer) -> tuple[str, int]:
    """Answer the id and the revision of the entry that was acknowledged."""
    assert created.status == 201
    return created.body, int(created.headers["etag"].strip('"'))


def entries(connection: HTTPConnection) -> list[tuple[str, int]]:
    """Answer the ids and the revisions of all entries, oldest first."""
    answer = ask(connection, "GET", "/todo?limit=1000")
    assert answer.status == 200 and "link" not in answer.headers
    return [(entry["id"], entry["revision"]) for entry in answer.body]


async def stored(url: str) -> list[tuple[str, int]]:
    """Answer the same of what a start of the service would find."""
    async with open_storage(url) as repository:
        found = await all_entries(repository)
    return [(str(entry.id), entry.revision) for entry in found.values()]


def create_in_the_end(connection: HTTPConnection, content: str) -> Answer:
    """Ask for a new entry again and again, until the service takes it; answer how it did."""
    end = monotonic() + DEADLINE
    while (answer := create(connection, content)).status != 201:
        assert monotonic() < end, f"it does not recover: {answer}"
        sleep(0.02)
    return answer


def wait_until_ready(connection: HTTPConnection) -> None:
    """Answer once the service says that it is ready."""
    end = monotonic() + DEADLINE
    while ask(connection, "GET", "/health/ready").status != 200:
        assert monotonic() < end, "it does not recover"
        sleep(0.02)


def wait_until_not_ready(connection: HTTPConnection) -> None:
    """Answer once the service says that it is not ready, and that it lives all the same."""
    end = monotonic() + DEADLINE
    while (answer := ask(connection, "GET", "/health/ready")).status == 200:
        assert monotonic() < end, "it takes itself for ready"
        sleep(0.02)
    assert_problem(answer, 503, "storage-unavailable")
    assert ask(connection, "GET", "/health/live").status == 200


def assert_problem(answer: Answer, status: int, slug: str) -> None:
    """Check that the answer is this problem, which says when to come back if it is 503."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == f"/problems/{slug}"
    assert answer.body["status"] == status
    assert status != 503 or int(answer.headers["retry-after"]) > 0
