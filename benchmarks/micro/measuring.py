"""How microbenchmarks measure."""

from collections.abc import Callable
from time import process_time
from typing import TypeVar

import pytest

Answer = TypeVar("Answer")
Measure = Callable[[Callable[[], Answer]], Answer]
"""Does something again and again, and answers what it answered at last."""


def group(name: str) -> pytest.MarkDecorator:
    """Mark what is to stand in one table, in processor time: other work disturbs it least."""
    return pytest.mark.benchmark(group=name, timer=process_time)
