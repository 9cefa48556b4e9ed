"""The clock and the source of ids."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import time_ns
from uuid import RFC_4122, UUID

import pytest

from myapp.infrastructure.identity import UuidFactory, utc_now

MILLISECOND = 1_000_000  # nanoseconds
NOVEMBER = 1_795_262_400_000 * MILLISECOND


class Clock:
    """A clock that stands still until it is set, in nanoseconds since 1970."""

    def __init__(self) -> None:
        self.time = NOVEMBER

    def __call__(self) -> int:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that ids are made by."""
    clock = Clock()
    monkeypatch.setattr("myapp.infrastructure.identity.time_ns", clock)
    return clock


def milliseconds(made: UUID) -> int:
    """Answer the time in an id (RFC 9562, 5.7)."""
    return made.int >> 80


def test_the_time_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = utc_now()
    assert now.tzinfo is UTC
    assert before <= now <= before + timedelta(hours=1)


def test_an_id_is_a_uuid_of_version_7() -> None:
    new_id = UuidFactory()
    for made in (new_id() for _ in range(10_000)):
        assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_tells_when_it_was_made() -> None:
    before = time_ns() // MILLISECOND
    made = UuidFactory()()
    assert before <= milliseconds(made) <= before + 3_600_000


def test_ids_are_strictly_ascending() -> None:
    new_id = UuidFactory()
    made = [new_id() for _ in range(10_000)]
    assert all(one < next_one for one, next_one in pairwise(made))
    assert all(str(one) < str(next_one) for one, next_one in pairwise(made))


def test_ids_ascend_within_one_millisecond(clock: Clock) -> None:
    new_id = UuidFactory()
    made = [new_id() for _ in range(10_000)]
    assert all(one < next_one for one, next_one in pairwise(made))
    assert {one.version for one in made} == {7}
    assert milliseconds(made[0]) == clock.time // MILLISECOND
    assert milliseconds(made[-1]) - milliseconds(made[0]) <= 3


def test_ids_ascend_when_the_clock_steps_back(clock: Clock) -> None:
    new_id = UuidFactory()
    made = [new_id()]
    for step in (-3_600_000, -1, 0, 3_599_000, 2_000, -86_400_000, 90_000_000):
        clock.time += step * MILLISECOND
        made += [new_id(), new_id()]
    assert all(one < next_one for one, next_one in pairwise(made))
    assert {one.variant for one in made} == {RFC_4122}
    assert milliseconds(made[-1]) == clock.time // MILLISECOND


def test_ids_of_factories_that_know_nothing_of_each_other_differ(clock: Clock) -> None:
    made = {UuidFactory()() for _ in range(1_000)}
    assert len(made) == 1_000
    assert {milliseconds(one) for one in made} == {clock.time // MILLISECOND}


def test_ids_made_by_several_threads_differ() -> None:
    new_id = UuidFactory()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: new_id(), range(10_000)))
    assert len(set(made)) == 10_000
