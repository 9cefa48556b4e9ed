"""Readiness: one probe of the storage a second, for whoever asks."""

import asyncio
from dataclasses import dataclass, field

import pytest

from myapp.application.readiness import PROBED_EVERY, Readiness, ServiceStopping
from myapp.domain.errors import StorageFull, StorageUnavailable, TodoError

NOT_READY = pytest.mark.parametrize(
    "error", [StorageUnavailable("The disk is gone."), StorageFull("There is no space left.")]
)


@dataclass
class Probed:
    """A storage and a clock: it counts its probes, and answers them as it is told to."""

    error: TodoError | None = None
    times: int = 0
    now: float = 0.0
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    async def probe(self) -> None:
        """Be probed."""
        self.times += 1
        await self.answering.wait()
        if self.error is not None:
            raise self.error

    def clock(self) -> float:
        """Answer the time."""
        return self.now

    def readiness(self, *, patience: float = 60) -> Readiness:
        """Answer what tells of it."""
        return Readiness(self.probe, clock=self.clock, patience=patience)


async def test_many_who_ask_at_once_share_a_probe() -> None:
    storage = Probed()
    readiness = storage.readiness()
    await asyncio.gather(*(readiness.check() for _ in range(100)))
    assert storage.times == 1


async def test_an_answer_holds_for_a_second() -> None:
    storage = Probed()
    readiness = storage.readiness()
    for moment, times in [(0, 1), (PROBED_EVERY * 0.9, 1), (PROBED_EVERY, 2)]:
        storage.now = moment
        await readiness.check()
        assert storage.times == times


@NOT_READY
async def test_bad_news_holds_for_a_second_too(error: TodoError) -> None:
    storage = Probed(error)
    readiness = storage.readiness()
    for _ in range(2):
        with pytest.raises(type(error), match=str(error)):
            await readiness.check()
    storage.error, storage.now = None, PROBED_EVERY
    await readiness.check()
    assert storage.times == 2


async def test_who_goes_away_does_not_take_the_probe_along() -> None:
    storage = Probed()
    storage.answering.clear()
    readiness = storage.readiness()
    leaving, staying = (asyncio.create_task(readiness.check()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    storage.answering.set()
    await staying
    assert storage.times == 1


async def test_a_storage_that_does_not_answer_is_unavailable_and_asked_once_only() -> None:
    storage = Probed()
    storage.answering.clear()
    readiness = storage.readiness(patience=0.001)
    for moment in (0, 10 * PROBED_EVERY):
        storage.now = moment
        with pytest.raises(StorageUnavailable):
            await readiness.check()
    assert storage.times == 1


async def test_a_service_that_is_stopping_is_ready_for_nobody() -> None:
    storage = Probed()
    readiness = storage.readiness()
    await readiness.check()
    readiness.stop()
    with pytest.raises(ServiceStopping):
        await readiness.check()


async def test_who_asked_before_the_stop_learns_of_it() -> None:
    storage = Probed()
    storage.answering.clear()
    readiness = storage.readiness()
    asking = asyncio.create_task(readiness.check())
    await asyncio.sleep(0)
    readiness.stop()
    storage.answering.set()
    with pytest.raises(ServiceStopping):
        await asking
