"""Ids as storages keep them: numbers of 16 bytes."""

from collections.abc import Callable
from uuid import UUID, SafeUUID

SIZE = 16

_set_int: Callable[[UUID, int], None] = vars(UUID)["int"].__set__
_set_is_safe: Callable[[UUID, SafeUUID], None] = vars(UUID)["is_safe"].__set__


def to_id(number: int) -> UUID:
    """Answer UUID(int=number), in two thirds of the time; raises ValueError.

    To make it of its text takes twice that time. Storages make one for each entry they read.
    """
    if number >> 8 * SIZE:
        raise ValueError("an id has 16 bytes")
    entry_id = object.__new__(UUID)
    _set_int(entry_id, number)
    _set_is_safe(entry_id, SafeUUID.unknown)
    return entry_id
