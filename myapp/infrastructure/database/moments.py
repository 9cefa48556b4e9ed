"""Times as storages keep them: whole microseconds since 1970, in UTC."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def to_microseconds(moment: datetime) -> int: ...


@overload
def to_microseconds(moment: datetime | None) -> int | None: ...


def to_microseconds(moment: datetime | None) -> int | None:
    """Answer the microseconds from the epoch to an aware moment, or None for none."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def to_moment(microseconds: int) -> datetime:
    """Answer the moment so many microseconds after the epoch.

    Raises TypeError, OverflowError.
    """
    if type(microseconds) is not int:
        raise TypeError("a time is not a whole number of microseconds")
    return _EPOCH + microseconds * _MICROSECOND


def to_moments(microseconds: Iterable[int]) -> list[datetime]:
    """Answer to_moment of each integer, in half the time; raises OverflowError."""
    return list(map(_EPOCH.__add__, map(_MICROSECOND.__mul__, microseconds)))
