"""Changes as server-sent events (WHATWG HTML, 9.2), to any number of clients at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from myapp.application.change_feed import ChangeFeed, Follower
from myapp.domain.change import Change, ChangeKind
from myapp.domain.errors import HistoryForgotten, InvalidValue, StorageUnavailable
from myapp.domain.todo_history import ChangePage, check_kept
from myapp.infrastructure.api.change_schema import change_json
from myapp.infrastructure.api.problems import Rejection

HEARTBEAT = 15.0
"""Seconds after which a client is told how far it has come, if it was told nothing else."""

CHUNK = 65_536
"""Bytes: what is sent at once exceeds it by less than one event."""

EVENTS_KEPT = 8 * 1_048_576
"""Bytes of events that are kept for all streams."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which changes are told of: those of any of the kinds with any of the tags, if given."""

    kinds: frozenset[ChangeKind] = frozenset()
    tags: frozenset[str] = frozenset()

    def matches(self, change: Change) -> bool:
        """Whether the change is one of them; its tags are those before and after it."""
        return (not self.kinds or change.kind in self.kinds) and (
            not self.tags or not self.tags.isdisjoint(change.tags)
        )


class EventStreams:
    """Opens the streams of one application, which share what they are made of."""

    def __init__(self, feed: ChangeFeed, *, heartbeat: float = HEARTBEAT) -> None:
        self.feed = feed
        self.heartbeat = heartbeat
        self.events = _Events()

    async def open(self, since: int | None, wanted: EventFilter) -> "EventStream":
        """Answer a stream of what follows after a revision, or from now on.

        Raises InvalidValue for a revision that the store has not reached, and
        StorageUnavailable.
        """
        revision = await self.feed.revision()
        if since is not None:
            check_kept("since", since, begin=0, last=revision)
            revision = since
        return EventStream(self, revision, wanted)


class EventStream(Response):
    """Events without end, as long as the client is there and the feed is open.

    It ends, too, when the storage does not answer: the client comes again.
    """

    media_type = "text/event-stream"

    def __init__(self, streams: EventStreams, since: int, wanted: EventFilter) -> None:
        # Nothing of it could be revalidated, nor may a part of it be answered again.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._streams = streams
        self._since = since
        self._wanted = wanted

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        with self._streams.feed.following() as follower:
            listening = asyncio.create_task(_leave_once_gone(follower, receive))
            try:
                start = {"type": "http.response.start", "status": self.status_code}
                await send({**start, "headers": self.raw_headers})
                with suppress(StorageUnavailable):
                    async for chunk in self._chunks(follower):
                        await _send_body(send, chunk)
                await _send_body(send, b"", more=False)
            finally:
                listening.cancel()

    async def _chunks(self, follower: Follower) -> AsyncIterator[bytes]:
        """Answer what to send next, whenever there is something."""
        revision = self._since
        yield _heartbeat(revision)
        due = monotonic() + self._streams.heartbeat
        while not follower.over:
            try:
                page = await follower.after(revision, within=due - monotonic())
                chunk, revision = self._streams.events.of(page, self._wanted)
                del page  # sending may take long, and there may be many who do not read
            except (HistoryForgotten, InvalidValue):
                revision = await self._streams.feed.revision()
                chunk = _reset(revision)
            if chunk:
                yield chunk
                due = monotonic() + self._streams.heartbeat
            if monotonic() >= due:
                yield _heartbeat(revision)
                due = monotonic() + self._streams.heartbeat


class _Events:
    """The last events as bytes: made once, however many streams there are."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Change, bytes]] = {}
        self._size = 0

    def of(self, page: ChangePage, wanted: EventFilter) -> tuple[bytes, int]:
        """Answer the events of the first changes, a chunk at most, and how far that is."""
        parts, size = [], 0
        for change in filter(wanted.matches, page.changes):
            parts.append(self._event(change))
            size += len(parts[-1])
            if size >= CHUNK:
                return b"".join(parts), change.revision
        return b"".join(parts), page.next

    def _event(self, change: Change) -> bytes:
        made, event = self._made.get(change.revision, (None, b""))
        if made is change or made == change:
            return event
        self._size -= len(event)  # of a backup, since restored, that went another way
        event = _event(change.revision, change.kind, change_json(change))
        self._made[change.revision] = change, event
        self._size += len(event)
        while self._size > EVENTS_KEPT:
            _, oldest = self._made.pop(next(iter(self._made)))
            self._size -= len(oldest)
        return event


async def _leave_once_gone(follower: Follower, receive: Receive) -> None:
    """Let the follower leave when its client goes away, whatever it sends before.

    One whose request is refused before the answer could begin counts as gone: whether it
    goes, nobody would be told any more.
    """
    with suppress(Rejection):
        while (await receive())["type"] != "http.disconnect":
            pass
    follower.leave()


async def _send_body(send: Send, chunk: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": more})


def _event(revision: int, kind: str, data: bytes) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (revision, kind.encode("ascii"), data)


def _reset(revision: int) -> bytes:
    return _event(revision, "reset", b'{"revision":%d}' % revision)


def _heartbeat(revision: int) -> bytes:
    """Answer what is no event, as it has no data, and yet moves the last event id (9.2.6)."""
    return b": heartbeat\nid: %d\n\n" % revision
