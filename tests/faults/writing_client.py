"""A client that writes without a pause, and knows what it may find after a crash."""

from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from random import Random
from urllib.parse import quote
from uuid import UUID

from tests.faults.server_process import Answer, Json, ServerProcess, ask, told

State = Mapping[str, Json]
"""What may be written of an entry, as it is sent and answered."""

_WRITTEN = ("content", "notes", "tags", "priority", "done")
_TAGS = ("home", "büro", "店", "дом", "work")
_PRIORITIES = ("none", "low", "medium", "high")
_MOST_ENTRIES = 10
_MOST_TAGS = 5


class WritingClient:
    """Writes entries that are its own, and its own tags of one that all clients share.

    It sends one request after the other: of each entry it knows the state that was answered
    last, and of one at most a state that was sent since and never answered. An entry that it
    wanted to add, and was never answered, it asks for again under the same key.
    """

    def __init__(self, number: int, shared: str, seed: int) -> None:
        self.acknowledged = 0
        self.failure: BaseException | None = None
        self.revisions: list[int] = []
        self._number = number
        self._shared = shared
        self._random = Random(f"{seed} {number}")
        self._sent = 0
        self._newest = 0
        # The states that an entry may be in, and all that it has been in since the last check.
        self._possible: dict[str, list[State | None]] = {}
        self._past: dict[str, list[State | None]] = {}
        self._unanswered: tuple[str, State] | None = None  # a POST: its key, and what it adds
        self._added: tuple[str, int] | None = None  # what was found of it, id and revision
        self._stored: dict[str, int] = {}
        self._shared_tags = [frozenset[str]()]

    def write(self, server: ServerProcess) -> None:
        """Write until the server is gone; anything else that goes wrong is the failure."""
        connection = server.connect()
        try:
            if self._unanswered is not None:
                self._add(connection, *self._unanswered)
            while True:
                self._write(connection)
                self.acknowledged += 1
        except TimeoutError as error:
            self.failure = error
        except (OSError, HTTPException):
            pass  # the server was killed
        except BaseException as error:  # or nobody would hear of it: this is a thread
            self.failure = error
        finally:
            connection.close()

    def check(self, entries: dict[str, Json], revision: int) -> list[str]:
        """Take what is the client's out of the entries found; answer what is wrong with it.

        From then on it counts on what was found, and on revisions beyond the one given.
        """
        wrong = [*self._check_shared(entries[self._shared]["tags"])]
        for entry_id, possible in self._possible.items():
            entry = entries.pop(entry_id, None)
            found = None if entry is None else _state(entry)
            if found not in possible:
                kind = "lost" if found in (None, *self._past[entry_id]) else "torn"
                wrong.append(f"{kind}: {found!r:.400} instead of {possible!r:.800}")
            elif entry and len(possible) == 1 and entry["revision"] != self._stored[entry_id]:
                wrong.append(f"lost: the revision {self._stored[entry_id]} of {entry!r:.400}")
            self._keep(entry_id, found, entry["revision"] if entry else 0)
        if self._unanswered is not None and self._added is None:
            self._find_added(entries, self._unanswered[1])
        self._possible = {
            key: known for key, known in self._possible.items() if known != [None]
        }
        self._past = {key: list(known) for key, known in self._possible.items()}
        self._stored = {key: self._stored[key] for key in self._possible}
        self.revisions.clear()
        self._newest = revision
        return wrong

    def _find_added(self, entries: dict[str, Json], state: State) -> None:
        for entry_id, entry in entries.items():
            if _state(entry) == state:
                self._added = entry_id, entry["revision"]
                self._keep(entry_id, state, entry["revision"])
                del entries[entry_id]
                break  # another one would have been added twice

    def _keep(self, entry_id: str, state: State | None, revision: int) -> None:
        self._possible[entry_id] = [state]
        self._stored[entry_id] = revision

    def _check_shared(self, tags: list[str]) -> list[str]:
        found = frozenset(tag for tag in tags if tag.startswith(f"{self._number}-"))
        possible, self._shared_tags = self._shared_tags, [found]
        return [] if found in possible else [f"lost: {set(found)} instead of {possible}"]

    def _write(self, connection: HTTPConnection) -> None:
        self._sent += 1
        mine = [key for key, states in self._possible.items() if states[-1] is not None]
        writes: list[Callable[[HTTPConnection, str], None]]
        if len(mine) >= _MOST_ENTRIES:
            writes = [self._remove]
        elif mine:
            writes = [self._put, self._patch, self._patch, self._tag, self._remove]
            writes += [self._post, self._put_new, self._tag_shared]
        else:
            writes = [self._post, self._put_new]
        self._random.choice(writes)(connection, self._random.choice(mine or [""]))

    def _post(self, connection: HTTPConnection, _entry_id: str) -> None:
        self._unanswered = f"{self._number}-{self._sent}", self._new_state()
        self._add(connection, *self._unanswered)

    def _add(self, connection: HTTPConnection, key: str, state: State) -> None:
        """Ask for an entry, perhaps once more."""
        entry_id, revision = told(
            ask(connection, "POST", "/todo", state, {"Idempotency-Key": f'"{key}"'})
        )
        added, self._added, self._unanswered = self._added, None, None
        if added is None:
            self._send(entry_id, state)
            self._accept(entry_id, revision)
        else:
            assert (entry_id, revision) == added, "it was added twice"

    def _put_new(self, connection: HTTPConnection, _entry_id: str) -> None:
        entry_id = str(UUID(int=self._random.getrandbits(128)))
        state = self._new_state()
        self._send(entry_id, state)
        self._accept_entry(ask(connection, "PUT", f"/todo/{entry_id}", state), 201)

    def _put(self, connection: HTTPConnection, entry_id: str) -> None:
        state = self._new_state()
        self._send(entry_id, state)
        self._accept_entry(ask(connection, "PUT", f"/todo/{entry_id}", state), 200)

    def _patch(self, connection: HTTPConnection, entry_id: str) -> None:
        names = self._random.sample(_WRITTEN, self._random.randint(1, len(_WRITTEN)))
        new = self._new_state()
        patch = {name: new[name] for name in names}
        self._send(entry_id, {**self._now(entry_id), **patch})
        self._accept_entry(ask(connection, "PATCH", f"/todo/{entry_id}", patch), 200)

    def _tag(self, connection: HTTPConnection, entry_id: str) -> None:
        now = self._now(entry_id)
        tag = self._random.choice(_TAGS)
        method = "DELETE" if tag in now["tags"] else "PUT"
        self._send(entry_id, {**now, "tags": sorted({tag} ^ set(now["tags"]))})
        path = f"/todo/{entry_id}/tags/{quote(tag)}"
        self._accept_entry(ask(connection, method, path), 200)

    def _remove(self, connection: HTTPConnection, entry_id: str) -> None:
        self._send(entry_id, None)
        answer = ask(connection, "DELETE", f"/todo/{entry_id}")
        assert answer.status == 204, answer
        self._keep(entry_id, None, 0)

    def _tag_shared(self, connection: HTTPConnection, _entry_id: str) -> None:
        before = self._shared_tags[-1]
        method, after = "PUT", before | {f"{self._number}-{self._sent}"}
        if len(before) == _MOST_TAGS:
            method, after = "DELETE", before - {min(before)}
        self._shared_tags.append(after)
        (tag,) = before ^ after
        answer = ask(connection, method, f"/todo/{self._shared}/tags/{tag}")
        assert answer.status == 200, answer
        self._shared_tags = [after]
        assert not self._check_shared(answer.body["tags"])
        self._take(answer.body["revision"])

    def _new_state(self) -> dict[str, Json]:
        length = self._random.choice([0, 0, 0, 0, 0, 0, 30, 300, 3_000, 12_000])
        name = f"client {self._number}, write {self._sent}"
        return {
            "content": name,
            "notes": f"{name}\n" + "x" * length if length else "",
            "tags": sorted(self._random.sample(_TAGS, self._random.randint(0, 3))),
            "priority": self._random.choice(_PRIORITIES),
            "done": self._random.random() < 0.3,
        }

    def _now(self, entry_id: str) -> State:
        (state,) = self._possible[entry_id]
        assert state is not None
        return state

    def _send(self, entry_id: str, state: State | None) -> None:
        """Note what is sent, before it is."""
        self._possible.setdefault(entry_id, [None]).append(state)
        self._past.setdefault(entry_id, [None]).append(state)

    def _accept_entry(self, answer: Answer, status: int) -> None:
        assert answer.status == status, answer
        entry_id = answer.body["id"]
        assert _state(answer.body) == self._possible[entry_id][-1], answer
        self._accept(entry_id, answer.body["revision"])

    def _accept(self, entry_id: str, revision: int) -> None:
        """Note that what was sent last is stored, and as which revision."""
        before, state = self._possible[entry_id]
        if state != before:
            self._take(revision)
        self._keep(entry_id, state, revision)

    def _take(self, revision: int) -> None:
        assert revision > self._newest, "a revision went back"
        self._newest = revision
        self.revisions.append(revision)


def _state(entry: Mapping[str, Json]) -> State:
    return {name: entry[name] for name in _WRITTEN}
