"""The change feed: one look at the storage for all who follow it in this process."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from myapp.domain.change import Change
from myapp.domain.errors import HistoryForgotten, StorageUnavailable
from myapp.domain.todo_history import ChangePage, TodoHistory

LOOK_EVERY = 0.05
"""Seconds between two looks, since other processes may store changes, too."""

RECENT = 1_000
"""So many changes are kept for all who follow closely."""

CATCH_UP = 100
"""So many changes, at most, are read at once for one who is further behind."""

READERS = 2
"""So many of those further behind read at a time: the storage is there for others, too."""

_log = logging.getLogger(__name__)


class ChangeFeed:
    """Lets any number of followers wait for changes at the cost of one.

    How far a follower has come is but a revision, so that a slow one takes no memory: those
    far behind read the storage, all others what was read last. While nobody follows, nobody
    looks.
    """

    def __init__(self, history: TodoHistory, *, look_every: float = LOOK_EVERY) -> None:
        self._history = history
        self._look_every = look_every
        self._recent: list[Change] = []
        self._begin: int | None = None  # the recent changes are all after this revision …
        self._revision = 0  # … up to this one
        self._followers: set[Follower] = set()
        self._followed = asyncio.Event()
        self._woken = asyncio.Event()
        self._reading = asyncio.Semaphore(READERS)
        self._failing = False
        self._closed = False

    @property
    def followers(self) -> int:
        """The number of those who follow now."""
        return len(self._followers)

    async def revision(self) -> int:
        """Answer the store's revision, now; may raise StorageUnavailable."""
        return await self._history.revision()

    @contextmanager
    def following(self) -> Iterator["Follower"]:
        """Answer a follower, for as long as one is in here."""
        follower = Follower(self)
        if self._closed:
            follower.leave()
        self._followers.add(follower)
        self._followed.set()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._followed.clear()

    async def read(self, revision: int) -> ChangePage:
        """Answer the first changes after a revision; none while the storage does not answer.

        Raises HistoryForgotten, and InvalidValue for one that the store has not reached.
        """
        if self._begin is not None and self._begin <= revision <= self._revision:
            start = len(self._recent)
            while start and self._recent[start - 1].revision > revision:
                start -= 1  # few steps: followers are close
            return ChangePage(self._recent[start:], self._revision)
        await asyncio.sleep(0)  # a storage in memory would let nobody else do anything
        async with self._reading:
            try:
                return await self._history.changes(revision, limit=CATCH_UP)
            except StorageUnavailable:
                return ChangePage([], revision)

    async def look_regularly(self) -> None:
        """Look for changes, until cancelled, as long as somebody follows."""
        while True:
            if not self._followers:
                self._begin = None  # what is recent now will not be when somebody comes
                await self._followed.wait()
            pause = self._look_every
            begin = monotonic()
            try:
                await self._look()
            except Exception as error:  # it must go on, and the next look may succeed
                self._complain(error)
                pause *= 10
            # Telling a thousand followers takes a while: all else gets as much time.
            await asyncio.sleep(min(monotonic() - begin, pause))
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                continue
            self._woken.clear()

    def wake(self, _change: Change) -> None:
        """Look at once, since something was stored in this process."""
        self._woken.set()

    def close(self) -> None:
        """Let all followers go, and whoever comes later at once."""
        self._closed = True
        for follower in self._followers:
            follower.leave()

    async def _look(self) -> None:
        revision = await self._history.revision()
        if self._failing:
            self._failing = False
            self._move()
        if self._begin is None or revision < self._revision:  # an older backup is restored
            self._begin_at(revision)
        while self._revision < revision:
            try:
                page = await self._history.changes(self._revision, limit=RECENT)
            except HistoryForgotten:
                self._begin_at(revision)
            else:
                self._add(page)
                await asyncio.sleep(0)  # so that all take it before it is not recent any more

    def _begin_at(self, revision: int) -> None:
        self._recent, self._begin, self._revision = [], revision, revision
        self._move()

    def _add(self, page: ChangePage) -> None:
        recent = [*self._recent, *page.changes]
        if len(recent) > RECENT:
            self._begin = recent[-RECENT - 1].revision
        self._recent, self._revision = recent[-RECENT:], page.next
        self._move()

    def _move(self) -> None:
        for follower in self._followers:
            follower.move()

    def _complain(self, error: Exception) -> None:
        if not self._failing:
            unexpected = not isinstance(error, StorageUnavailable)
            _log.warning("changes cannot be followed now: %s", error, exc_info=unexpected)
        self._failing = True


class Follower:
    """One who waits for changes, until it is `over`."""

    def __init__(self, feed: ChangeFeed) -> None:
        self.over = False
        self._feed = feed
        self._moved = asyncio.Event()

    async def after(self, revision: int, *, within: float) -> ChangePage:
        """Wait for changes after a revision; none may have come after so many seconds.

        Answers what there is when it is over. Raises what reading the feed does.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            self._moved.clear()
            page = await self._feed.read(revision)
            revision = page.next
            if page.changes or self.over or loop.time() >= deadline:
                return page
            alarm = loop.call_at(deadline, self._moved.set)
            await self._moved.wait()
            alarm.cancel()

    def leave(self) -> None:
        """Be over."""
        self.over = True
        self.move()

    def move(self) -> None:
        """Stop waiting, and look again."""
        self._moved.set()
