"""A thread that writes lines, so that nobody else waits for whoever reads them."""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol, TypeVar

WAITING_MOST = 10_000
"""So many lines wait while they cannot be written; more are dropped, and counted."""

_GATHERED = 0.05
"""Seconds that lines are gathered for, unless somebody waits: each write takes its turn."""

_PATIENCE = 0.1
"""Seconds that somebody waits for a line to be written."""

_PATIENCE_AT_THE_END = 2.0

T = TypeVar("T")


class Output(Protocol):
    """Where lines go."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Hand whole lines to the operating system; raises OSError."""


class LineWriter:
    """Writes lines in the order of their coming.

    Nothing that goes wrong with the output is told to who has something to write. Its queues
    may be used within a signal handler or a finalizer, which a lock may not.
    """

    def __init__(self, output: Output, dropped: Callable[[int], str]) -> None:
        """Take the output, and what answers the line that tells of lines dropped."""
        self._output = output
        self._dropped_line = dropped
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._waiting: SimpleQueue[Event] = SimpleQueue()
        self._refused = self._failed = self._told = 0
        self._is_torn = self._is_stuck = False
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Write it soon: a crash may lose it."""
        if self._lines.qsize() < WAITING_MOST:
            self._lines.put(line)
        else:
            self._refused += 1

    def flush(self, patience: float = _PATIENCE) -> None:
        """Answer once all lines are written, so that no crash loses them.

        If that takes too long, answer anyway, and from then on at once until it goes on.
        """
        if self._is_stuck or not self._thread.is_alive():
            return
        written = Event()
        self._waiting.put(written)
        self._lines.put("")
        self._is_stuck = not written.wait(patience)

    def close(self) -> None:
        """Write what waits, if that is possible, and no more from then on."""
        self._is_stuck = False
        self.flush(_PATIENCE_AT_THE_END)
        self._lines.put(None)

    def _run(self) -> None:
        while (first := self._lines.get()) is not None:
            waiting = self._gather()
            lines = [first, *_taken(self._lines)]
            self._write([line.encode("utf-8", "replace") for line in lines if line])
            for written in waiting:
                written.set()
            if None in lines:
                break

    def _gather(self) -> Sequence[Event]:
        try:
            return [self._waiting.get(timeout=_GATHERED), *_taken(self._waiting)]
        except Empty:
            return []

    def _write(self, lines: list[bytes]) -> None:
        dropped = self._refused + self._failed
        if dropped > self._told:
            lines.append(self._dropped_line(dropped - self._told).encode("utf-8"))
        try:
            self._output.write([b"\n", *lines] if self._is_torn else lines)
        except OSError:
            self._failed += len(lines) - (dropped > self._told)
            self._is_torn = True
        else:
            self._told = dropped
            self._is_torn = False
        self._is_stuck = False


def _taken(queue: SimpleQueue[T]) -> list[T]:
    return [queue.get() for _ in range(queue.qsize())]
