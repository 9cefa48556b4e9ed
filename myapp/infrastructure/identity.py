"""Where time and ids enter: the only clock and the only source of ids."""

from datetime import UTC, datetime
from os import urandom
from time import time_ns
from uuid import UUID

_COUNTER_BITS = 12
_NANOSECONDS = 1_000_000


def utc_now() -> datetime:
    """Answer the time, aware, in UTC, to the microsecond."""
    return datetime.now(UTC)


class UuidFactory:
    """Makes ids that sort by their creation: UUIDs of version 7 (RFC 9562, 5.7).

    The 12 bits after the milliseconds count on within one (RFC 9562, 6.2, method 1), so
    that ids made by one factory are strictly ascending, even when the clock steps back.
    """

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> UUID:
        """Answer the next id."""
        milliseconds = time_ns() // _NANOSECONDS
        self._last = max(self._last + 1, milliseconds << _COUNTER_BITS)
        high = (self._last >> _COUNTER_BITS) << 16 | 0x7000 | self._last & 0xFFF
        low = 0b10 << 62 | int.from_bytes(urandom(8)) >> 2
        return UUID(int=high << 64 | low)
