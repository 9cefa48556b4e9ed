"""Deadlines, on a clock that only the test moves."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TypeVarTuple

import pytest

from myapp.infrastructure.server.deadline import Deadline

Arguments = TypeVarTuple("Arguments")


class _Loop(asyncio.SelectorEventLoop):
    """Its time stands still until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.alarms: list[tuple[asyncio.TimerHandle, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        alarm = asyncio.TimerHandle(when, callback, args, self, context)
        self.alarms.append((alarm, partial(callback, *args)))
        return alarm

    def go_on(self, seconds: float) -> None:
        """Ring what is due on the way."""
        self.now += seconds
        while due := [ringing for ringing in self.alarms if ringing[0].when() <= self.now]:
            self.alarms.remove(due[0])
            alarm, ring = due[0]
            if not alarm.cancelled():
                ring()

    @property
    def waiting(self) -> int:
        """How many alarms would ring."""
        return sum(not alarm.cancelled() for alarm, _ in self.alarms)


@pytest.fixture
def loop() -> _Loop:
    made = _Loop()
    made.close()  # nothing runs on it
    return made


@pytest.fixture
def late() -> list[float]:
    return []


@pytest.fixture
def deadline(loop: _Loop, late: list[float]) -> Deadline:
    return Deadline(loop, lambda: late.append(loop.now))


def test_a_deadline_is_missed_once(deadline: Deadline, loop: _Loop, late: list[float]) -> None:
    deadline.set(10)
    loop.go_on(9)
    assert late == []
    loop.go_on(1)
    loop.go_on(100)
    assert late == [10]
    assert loop.waiting == 0


def test_what_is_put_off_is_missed_at_the_later_moment_only(
    deadline: Deadline, loop: _Loop, late: list[float]
) -> None:
    deadline.set(10)
    loop.go_on(6)
    deadline.set(10)
    loop.go_on(9)
    assert late == []
    loop.go_on(1)
    assert late == [16]


def test_putting_it_off_sets_no_alarms(deadline: Deadline, loop: _Loop) -> None:
    for _ in range(100):
        deadline.set(10)
        loop.go_on(0.01)
        deadline.set(None)
    assert len(loop.alarms) == 1


def test_an_earlier_moment_counts(deadline: Deadline, loop: _Loop, late: list[float]) -> None:
    deadline.set(60)
    deadline.set(5)
    loop.go_on(5)
    assert late == [5]
    loop.go_on(100)
    assert late == [5]


def test_what_is_not_set_any_more_is_not_missed(
    deadline: Deadline, loop: _Loop, late: list[float]
) -> None:
    deadline.set(10)
    deadline.set(None)
    loop.go_on(100)
    deadline.set(10)
    loop.go_on(10)
    assert late == [110]


def test_nothing_waits_once_it_is_cancelled(
    deadline: Deadline, loop: _Loop, late: list[float]
) -> None:
    deadline.set(10)
    deadline.cancel()
    assert loop.waiting == 0
    loop.go_on(100)
    assert late == []
