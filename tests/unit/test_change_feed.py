"""The change feed: who hears of what, how often the storage is asked, and what it survives."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random

import pytest

from myapp.application import change_feed
from myapp.application.change_feed import CATCH_UP, ChangeFeed, Follower
from myapp.domain.change import Change
from myapp.domain.errors import HistoryForgotten, InvalidValue, StorageUnavailable
from myapp.domain.todo_history import ChangePage
from tests.contract.entries import NOON, new_entry
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository

NEVER = 3_600.0
"""Seconds that no test takes."""

OFTEN = 0.001

UNAVAILABLE = StorageUnavailable("The storage is being moved.")


class Storage(InMemoryTodoEntryRepository):
    """A history that knows what it was asked for, and can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.reads: list[int] = []
        self.error: Exception | None = None
        self._asked = asyncio.Event()

    async def revision(self) -> int:
        self.looks += 1
        self._asked.set()
        if self.error is not None:
            raise self.error
        return await super().revision()

    async def changes(self, since: int, *, limit: int) -> ChangePage:
        self.reads.append(since)
        if self.error is not None:
            raise self.error
        return await super().changes(since, limit=limit)

    async def store(self, number: int = 1) -> Sequence[Change]:
        """Store so many new entries together."""
        return await self.save(*(new_entry() for _ in range(number)))

    async def lose_everything(self) -> None:
        """Begin anew, as if an older backup was restored."""
        super().__init__()

    async def looked(self, times: int = 1) -> None:
        """Wait until it is looked at so many times more."""
        async with asyncio.timeout(60):
            for _ in range(times):
                self._asked.clear()
                await self._asked.wait()


@pytest.fixture
def storage() -> Storage:
    """A storage without entries."""
    return Storage()


@asynccontextmanager
async def looking(feed: ChangeFeed) -> AsyncIterator[None]:
    """Let a feed look meanwhile."""
    task = asyncio.create_task(feed.look_regularly())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def one_following(
    storage: Storage, *, look_every: float = OFTEN
) -> AsyncIterator[tuple[ChangeFeed, Follower]]:
    """Answer a feed that looks, and somebody who follows it."""
    feed = ChangeFeed(storage, look_every=look_every)
    async with looking(feed):
        with feed.following() as follower:
            yield feed, follower


async def revisions_after(
    follower: Follower, revision: int, number: int, pauses: Random | None = None
) -> list[int]:
    """Answer so many revisions of changes after one, once they are there."""
    revisions: list[int] = []
    async with asyncio.timeout(60):
        while len(revisions) < number:
            page = await follower.after(revision, within=NEVER)
            revisions += [change.revision for change in page.changes]
            revision = page.next
            for _ in range(pauses.randrange(9) if pauses else 0):
                await asyncio.sleep(0)
    return revisions


async def others_had_their_turn() -> None:
    """Let everybody do what there is to do, without waiting for anything."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_what_another_process_stores_is_heard_of(storage: Storage) -> None:
    async with one_following(storage) as (_, follower):
        hearing = asyncio.create_task(revisions_after(follower, 0, 3))
        await storage.looked()

        await storage.store(2)
        await storage.looked()
        await storage.store()

        assert await hearing == [1, 2, 3]


async def test_what_this_process_stores_is_heard_of_at_once(storage: Storage) -> None:
    async with one_following(storage, look_every=NEVER) as (feed, follower):
        hearing = asyncio.create_task(revisions_after(follower, 0, 1))
        await storage.looked()

        (change,) = await storage.store()
        feed.wake(change)

        assert await hearing == [1]
        looks = storage.looks
        await others_had_their_turn()
        assert storage.looks == looks


async def test_who_is_behind_gets_everything_page_by_page(storage: Storage) -> None:
    stored = [*await storage.store(CATCH_UP), *await storage.store(CATCH_UP // 2)]
    async with one_following(storage) as (_, follower):
        first = await follower.after(0, within=NEVER)
        second = await follower.after(first.next, within=NEVER)

    assert [*first.changes, *second.changes] == stored
    assert (first.next, second.next) == (CATCH_UP, len(stored))


async def test_who_is_behind_lets_others_have_their_turn(storage: Storage) -> None:
    await storage.store(10 * CATCH_UP)
    async with one_following(storage, look_every=NEVER) as (_, follower):
        hearing = asyncio.create_task(revisions_after(follower, 0, 10 * CATCH_UP))
        for _ in range(5):
            await asyncio.sleep(0)

        assert not hearing.done()
        await hearing


async def test_nothing_is_missed_between_the_last_read_and_the_first_look(
    storage: Storage,
) -> None:
    feed = ChangeFeed(storage, look_every=NEVER)
    with feed.following() as follower:
        hearing = asyncio.create_task(revisions_after(follower, 0, 1))
        await others_had_their_turn()
        assert storage.reads == [0]

        await storage.store()
        async with looking(feed):
            assert await hearing == [1]


@pytest.mark.parametrize("seed", range(10))
async def test_each_follower_hears_of_every_change_once_and_in_order(
    storage: Storage, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, number = Random(seed), 200
    monkeypatch.setattr(change_feed, "RECENT", 7)
    monkeypatch.setattr(change_feed, "CATCH_UP", 3)
    feed = ChangeFeed(storage, look_every=OFTEN)

    async def come_follow_and_go(since: int) -> list[int]:
        with feed.following() as follower:
            return await revisions_after(follower, since, number - since, Random(since))

    async with looking(feed), asyncio.TaskGroup() as group:
        following = {0: group.create_task(come_follow_and_go(0))}
        while (revision := await storage.revision()) < number:
            changes = await storage.store(min(random.randrange(1, 12), number - revision))
            if random.random() < 0.5:
                feed.wake(changes[0])
            following[revision] = group.create_task(come_follow_and_go(revision))
            for _ in range(random.randrange(9)):
                await asyncio.sleep(0)

    heard = {since: task.result() for since, task in following.items()}
    assert heard == {since: [*range(since + 1, number + 1)] for since in following}


async def test_all_who_follow_closely_share_one_look(storage: Storage) -> None:
    feed = ChangeFeed(storage, look_every=NEVER)
    async with looking(feed), AsyncExitStack() as stack:
        followers = [stack.enter_context(feed.following()) for _ in range(100)]
        hearing = [asyncio.create_task(revisions_after(one, 0, 2)) for one in followers]
        await others_had_their_turn()
        storage.looks, storage.reads = 0, []

        changes = await storage.store(2)
        feed.wake(changes[0])

        assert await asyncio.gather(*hearing) == [[1, 2]] * 100
        assert (storage.looks, storage.reads) == (1, [0])


async def test_all_who_follow_closely_share_what_is_more_than_is_kept(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "RECENT", 5)
    feed = ChangeFeed(storage, look_every=NEVER)
    async with looking(feed), AsyncExitStack() as stack:
        followers = [stack.enter_context(feed.following()) for _ in range(10)]
        hearing = [asyncio.create_task(revisions_after(one, 0, 20)) for one in followers]
        await others_had_their_turn()
        storage.reads = []

        changes = await storage.store(20)
        feed.wake(changes[0])

        assert await asyncio.gather(*hearing) == [[*range(1, 21)]] * 10
        assert storage.reads == [0, 5, 10, 15]


async def test_what_was_read_is_not_read_again_while_nothing_new_is_stored(
    storage: Storage,
) -> None:
    async with one_following(storage) as (_, follower):
        await storage.looked()
        await storage.store(2)
        assert await revisions_after(follower, 0, 2) == [1, 2]
        await storage.looked(3)
        storage.reads = []

        assert await revisions_after(follower, 0, 2) == [1, 2]
        assert storage.reads == []


async def test_as_many_changes_as_are_kept_are_not_read_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "RECENT", 5)
    async with one_following(storage, look_every=NEVER) as (feed, follower):
        await others_had_their_turn()
        for number, last in ((3, 0), (4, 3)):
            changes = await storage.store(number)
            feed.wake(changes[0])
            await revisions_after(follower, last, number)
        storage.reads = []

        assert await revisions_after(follower, 2, 5) == [3, 4, 5, 6, 7]
        assert storage.reads == []


async def test_nobody_looks_before_somebody_follows(storage: Storage) -> None:
    feed = ChangeFeed(storage, look_every=0)
    async with looking(feed):
        (change,) = await storage.store()
        feed.wake(change)
        await others_had_their_turn()

    assert storage.looks == 0


async def test_nobody_looks_once_nobody_follows_any_more(storage: Storage) -> None:
    feed = ChangeFeed(storage, look_every=0)
    async with looking(feed):
        with feed.following(), feed.following():
            await storage.looked(3)
        await others_had_their_turn()
        looks = storage.looks
        await others_had_their_turn()

        assert storage.looks == looks


async def test_who_follows_after_nobody_did_misses_nothing(storage: Storage) -> None:
    feed = ChangeFeed(storage, look_every=OFTEN)
    async with looking(feed):
        with feed.following() as follower:
            await storage.store()
            assert await revisions_after(follower, 0, 1) == [1]
        await others_had_their_turn()
        await storage.store(2)
        with feed.following() as follower:
            assert await revisions_after(follower, 1, 2) == [2, 3]


async def test_what_nobody_waited_for_is_not_read(storage: Storage) -> None:
    feed = ChangeFeed(storage, look_every=0)
    async with looking(feed):
        with feed.following():
            await storage.looked(2)
        await others_had_their_turn()
        await storage.store(500)
        with feed.following() as follower:
            hearing = asyncio.create_task(revisions_after(follower, 500, 1))
            await storage.looked(2)
            await storage.store()
            assert await hearing == [501]

    assert set(storage.reads) == {500}


async def test_waiting_ends_after_its_time_and_tells_how_far_it_came(
    storage: Storage,
) -> None:
    async with one_following(storage) as (_, follower):
        assert await follower.after(0, within=0) == ChangePage([], 0)
        assert await follower.after(0, within=0.01) == ChangePage([], 0)

        await storage.store(2)
        assert await follower.after(2, within=-1) == ChangePage([], 2)


async def test_what_is_not_kept_any_more_cannot_be_followed(storage: Storage) -> None:
    await storage.store(5)
    await storage.forget(keep=2, receipts_before=NOON)
    async with one_following(storage) as (_, follower):
        with pytest.raises(HistoryForgotten):
            await follower.after(2, within=NEVER)

        assert await revisions_after(follower, 3, 2) == [4, 5]


async def test_who_waits_is_told_that_the_next_changes_are_not_kept_any_more(
    storage: Storage,
) -> None:
    async with one_following(storage, look_every=NEVER) as (feed, follower):
        waiting = asyncio.create_task(follower.after(0, within=NEVER))
        await others_had_their_turn()

        changes = await storage.store(5)
        await storage.forget(keep=0, receipts_before=NOON)
        feed.wake(changes[0])

        with pytest.raises(HistoryForgotten):
            await waiting
        (change,) = await storage.store()
        feed.wake(change)
        assert await revisions_after(follower, 5, 1) == [6]


async def test_who_is_ahead_of_a_restored_backup_is_told(storage: Storage) -> None:
    await storage.store(5)
    async with one_following(storage) as (_, follower):
        waiting = asyncio.create_task(follower.after(5, within=NEVER))
        await storage.looked()

        await storage.lose_everything()

        with pytest.raises(InvalidValue):
            await waiting
        await storage.store()
        assert await revisions_after(follower, 0, 1) == [1]


@pytest.mark.parametrize("error", [UNAVAILABLE, ValueError("a mistake")])
async def test_following_goes_on_once_the_storage_answers_again(
    storage: Storage, error: Exception
) -> None:
    async with one_following(storage) as (_, follower):
        await storage.looked(2)
        hearing = asyncio.create_task(revisions_after(follower, 0, 1))

        storage.error = error
        await storage.looked(2)
        await storage.store()
        storage.error = None

        assert await hearing == [1]


async def test_who_is_behind_waits_while_the_storage_does_not_answer(
    storage: Storage,
) -> None:
    await storage.store(3)
    async with one_following(storage) as (_, follower):
        await storage.looked()
        storage.error = UNAVAILABLE
        assert await follower.after(0, within=0) == ChangePage([], 0)

        hearing = asyncio.create_task(revisions_after(follower, 0, 3))
        await storage.looked(2)
        storage.error = None

        assert await hearing == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "has_traceback"), [(UNAVAILABLE, False), (ValueError("a mistake"), True)]
)
async def test_an_outage_is_logged_once(
    storage: Storage,
    error: Exception,
    has_traceback: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with one_following(storage):
        for _ in range(2):
            storage.error = error
            await storage.looked(3)
            storage.error = None
            await storage.looked(2)

    assert [record.getMessage() for record in caplog.records] == [
        f"changes cannot be followed now: {error}"
    ] * 2
    assert [bool(record.exc_info) for record in caplog.records] == [has_traceback] * 2


async def test_closing_lets_all_followers_go(storage: Storage) -> None:
    feed = ChangeFeed(storage, look_every=NEVER)
    async with looking(feed):
        with feed.following() as one, feed.following() as other:
            waiting = [asyncio.create_task(f.after(0, within=NEVER)) for f in (one, other)]
            await others_had_their_turn()

            feed.close()

            assert await asyncio.gather(*waiting) == [ChangePage([], 0)] * 2
            assert one.over and other.over


async def test_who_comes_after_closing_may_go_at_once(storage: Storage) -> None:
    await storage.store()
    feed = ChangeFeed(storage)
    feed.close()

    with feed.following() as follower:
        assert follower.over
        assert await follower.after(1, within=NEVER) == ChangePage([], 1)


async def test_who_leaves_leaves_alone(storage: Storage) -> None:
    async with one_following(storage) as (feed, staying):
        hearing = asyncio.create_task(revisions_after(staying, 0, 1))
        with feed.following() as leaving:
            waiting = asyncio.create_task(leaving.after(0, within=NEVER))
            await others_had_their_turn()

            leaving.leave()

            assert await waiting == ChangePage([], 0)
            assert leaving.over and not staying.over
        await storage.store()
        assert await hearing == [1]


async def test_the_revision_is_the_storages_own(storage: Storage) -> None:
    feed = ChangeFeed(storage)
    await storage.store(2)

    assert await feed.revision() == 2
