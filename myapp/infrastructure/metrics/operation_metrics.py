"""What is counted of what the storage is asked."""

from asyncio import CancelledError
from collections.abc import Awaitable
from time import perf_counter
from typing import TypeVar

from myapp.domain.errors import TodoError
from myapp.infrastructure.metrics.families import (
    OPERATION_SECONDS,
    OPERATIONS,
    Counts,
    Row,
)

T = TypeVar("T")


class OperationMetrics:
    """Counts operations of the storage, what came of them, and how long they took."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._rows: dict[tuple[str, str], tuple[Row, Row]] = {}

    async def watch(self, operation: str, answer: Awaitable[T]) -> T:
        """Wait for the answer, and count what came of it."""
        outcome = "failed"
        begin = perf_counter()
        try:
            result = await answer
            outcome = "ok"
            return result
        except TodoError as error:
            outcome = type(error).__name__
            raise
        except CancelledError:
            outcome = "cancelled"
            raise
        finally:
            number, seconds = self._rows.get((operation, outcome)) or self._new_rows(
                operation, outcome
            )
            number[0] += 1
            OPERATION_SECONDS.observe(seconds, perf_counter() - begin)

    def _new_rows(self, operation: str, outcome: str) -> tuple[Row, Row]:
        rows = (
            OPERATIONS.row(self._counts, operation, outcome),
            OPERATION_SECONDS.row(self._counts, operation),
        )
        self._rows[operation, outcome] = rows
        return rows
