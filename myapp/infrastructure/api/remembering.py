"""Work that is done once for what clients send again and again."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

_KEPT = 256
_LONGEST = 512  # bytes, so that nobody fills the memory

Answer = TypeVar("Answer")


def remembering(function: Callable[[bytes], Answer]) -> Callable[[bytes], Answer]:
    """Answer the same function of bytes, which remembers what it has answered to short ones.

    What it answers may not be changed. What it raises is not remembered.
    """
    remembered = lru_cache(_KEPT)(function)

    def answer(sent: bytes) -> Answer:
        return (remembered if len(sent) <= _LONGEST else function)(sent)

    return answer
