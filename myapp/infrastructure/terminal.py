"""What whoever runs a command sees: how far it is, what is wrong, what came of it."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

from myapp.infrastructure.transfer.streams import Progress

FLAWS_SHOWN = 300
"""So many bad lines are told one by one, and the rest are counted."""

SECONDS_APART = 5.0
"""The time between two lines about the same stage, at least."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on standard error: as bars on a terminal, else now and then as a line."""
    if not sys.stderr.isatty():
        yield ProgressLines(sys.stderr)
        return
    # For this alone, since rich takes a twentieth of the time of a start.
    from myapp.infrastructure.progress_bars import progress_bars

    with progress_bars() as bars:
        yield bars


def tell(result: Mapping[str, object], as_json: bool, out: TextIO | None = None) -> None:
    """Print what came of a command: an object as JSON, or a line for each of its members."""
    out = out or sys.stdout
    if as_json:
        print(json.dumps(result), file=out)
        return
    width = max(map(len, result))
    for name, value in result.items():
        lines = value if isinstance(value, list) else [value]
        for line in lines or ["none"]:
            told = f"{line:,}" if isinstance(line, int) else "-" if line is None else line
            print(f"{name.replace('_', ' '):{width}}  {told}", file=out)


def write(data: bytes) -> None:
    """Write to standard output, and wait for whoever reads it, unless Ctrl-C is pressed."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's waits, too
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    finally:
        signal.signal(signal.SIGINT, handler)


def abandon_output() -> None:
    """Drop what standard output still holds: whoever read it has gone, or is too slow."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def flaws() -> Iterator[Callable[[int, Exception], None]]:
    """Answer what tells of bad lines on standard error as they are found, if not too many."""
    found = 0

    def tell_flaw(line: int, flaw: Exception) -> None:
        nonlocal found
        found += 1
        if found <= FLAWS_SHOWN:
            print(f"line {line:,}: {flaw}", file=sys.stderr)

    try:
        yield tell_flaw
    finally:
        if found > FLAWS_SHOWN:
            print(f"and {found - FLAWS_SHOWN:,} more bad lines", file=sys.stderr)


class ProgressLines:
    """A line for each stage, and more of them only if it takes its time."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = monotonic) -> None:
        self._out = out
        self._clock = clock
        self._stage = ""
        self._told_at = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show it."""
        now = self._clock()
        if stage != self._stage or now - self._told_at >= SECONDS_APART:
            print(f"{stage}: {done:,} of {total:,}", file=self._out, flush=True)
            self._stage, self._told_at = stage, now
