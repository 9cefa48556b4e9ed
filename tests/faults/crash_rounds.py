"""A server that crashes in the midst of its work, over and over, and what it must have kept.

KILL_SEED sets what the clients write, and for how long.
"""

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from time import sleep

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.storage import open_storage
from tests.faults import sweeping_server
from tests.faults.server_process import Json, ServerProcess, ask
from tests.faults.short_ways import DEADLINE, todo
from tests.faults.writing_client import WritingClient
from tests.saving import save_all

_SEED = int(os.environ.get("KILL_SEED", "1"))
_CLIENTS = 8
_SHORTEST = 0.02

_FIRST = (todo(1, "never touched"), todo(2, "shared"))


class Rounds:
    """Lets a server on the same storage crash over and over, and keeps the account.

    Clients write for so many seconds at the longest before it does.
    """

    def __init__(
        self,
        folder: Path,
        still: TodoEntry,
        shared: TodoEntry,
        *,
        url: str = "",
        tracer: Sequence[str] = (),
        longest: float = 0.4,
    ) -> None:
        self.wrong: list[str] = []
        self.done = 0
        self._folder = folder
        self._url = url
        self._tracer = tracer
        self._longest = longest
        self._still = still
        self._shared = str(shared.id)
        self._clients = [WritingClient(n, self._shared, _SEED) for n in range(_CLIENTS)]
        self._revision = shared.revision
        self._random = random.Random(_SEED)

    def crash(self, end: Callable[[ServerProcess], None] = ServerProcess.kill) -> None:
        """End a server while the clients write, once it was seen to have what it must."""
        with self._server() as server:
            self._check(server)
            self._write_until(server, end)
        self.done += 1

    def check(self) -> None:
        """Look at what a server has after the last one crashed."""
        with self._server() as server:
            self._check(server)

    def summary(self) -> str:
        """Answer the account in a line."""
        acknowledged = sum(client.acknowledged for client in self._clients)
        kinds = [what.partition(":")[0] for what in self.wrong]
        return (
            f"{self.done} rounds, {acknowledged} acknowledged writes,"
            f" {kinds.count('lost')} lost, {kinds.count('torn')} torn,"
            f" {kinds.count('never sent')} never sent"
        )

    def _server(self) -> ServerProcess:
        return ServerProcess(
            self._folder,
            url=self._url,
            tracer=self._tracer,
            module=sweeping_server.__name__,
        )

    def _write_until(self, server: ServerProcess, end: Callable[[ServerProcess], None]) -> None:
        threads = [
            Thread(target=client.write, args=[server], daemon=True) for client in self._clients
        ]
        for thread in threads:
            thread.start()
        sleep(self._random.uniform(_SHORTEST, self._longest))
        end(server)
        for thread in threads:
            thread.join(2 * DEADLINE)
            assert not thread.is_alive()
        for client in self._clients:
            if client.failure is not None:
                raise client.failure
        taken = [revision for client in self._clients for revision in client.revisions]
        assert len(set(taken)) == len(taken), "a revision was given out twice"
        self._revision = max([self._revision, *taken])

    def _check(self, server: ServerProcess) -> None:
        connection = server.connect()
        answer = ask(connection, "GET", "/todo?limit=1000")
        connection.close()
        assert answer.status == 200 and "link" not in answer.headers
        revision = int(answer.headers["etag"].strip('"'))
        assert revision >= self._revision, "the store's revision went back"
        self._revision = revision
        entries: dict[str, Json] = {entry["id"]: entry for entry in answer.body}
        for client in self._clients:
            self.wrong += client.check(entries, revision)
        del entries[self._shared]
        assert entries.pop(str(self._still.id))["revision"] == self._still.revision
        self.wrong += [f"never sent: {entry!r:.400}" for entry in entries.values()]
        assert not self.wrong, "\n".join([*self.wrong, server.log()])


async def fill(url: str) -> tuple[TodoEntry, TodoEntry]:
    """Answer an entry that nobody touches, and one that all clients share."""
    async with open_storage(url) as repository:
        still, shared = await save_all(repository, *_FIRST)
    return still, shared
