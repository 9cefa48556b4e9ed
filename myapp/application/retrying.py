"""Changes that are made again, since another was stored first."""

from collections.abc import Awaitable, Callable, Iterator
from random import SystemRandom
from typing import TypeVar

from myapp.domain.errors import StorageUnavailable

RETRIED_FOR = 5.0
"""Seconds that a change which keeps losing the race waits in all before it gives up."""

_FIRST_WAIT, _LONGEST_WAIT = 0.005, 0.5
_random = SystemRandom()

Answer = TypeVar("Answer")


class LostRace(Exception):
    """What was read has been changed by another before it could be stored."""


async def retry(
    attempt: Callable[[], Awaitable[Answer]], wait: Callable[[float], Awaitable[None]]
) -> Answer:
    """Make the attempt again whenever it raises LostRace, until RETRIED_FOR is over.

    `wait` sleeps for a number of seconds. Raises StorageUnavailable in the end.
    """
    pauses = _pauses()
    while True:
        try:
            return await attempt()
        except LostRace as error:
            if (pause := next(pauses, None)) is None:
                raise StorageUnavailable("Others keep changing this entry first.") from error
        await wait(pause)


def _pauses() -> Iterator[float]:
    """Growing waits with jitter, in seconds, that add up to RETRIED_FOR."""
    left, longest = RETRIED_FOR, _FIRST_WAIT
    while left > 0:
        pause = min(left, _random.uniform(longest / 2, longest))
        yield pause
        left -= pause
        longest = min(longest * 2, _LONGEST_WAIT)
