"""What whoever runs a command sees: how far it is, what is wrong, what came of it."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import BinaryIO, TextIO

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


def replace_closed_error() -> None:
    """Let standard error lead nowhere if it was closed: print takes None for the other one."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")


def tell(result: Mapping[str, object], as_json: bool, out: TextIO | None) -> None:
    """Say what came of a command: an object as JSON, or a line for each of its members."""
    say(json.dumps(result) if as_json else "\n".join(_lines(result)), out)


def say(text: str, out: TextIO | None) -> None:
    """Print a text, or nothing if the stream was closed; raises OSError."""
    with _abandoning(out):
        print(text, file=out, flush=True)


def read() -> BinaryIO:
    """Answer standard input; raises OSError if it was closed."""
    if sys.stdin is None:
        raise OSError("Standard input is closed.")
    return sys.stdin.buffer


def write(data: bytes) -> None:
    """Write to standard output, and wait for whoever reads it, unless Ctrl-C is pressed."""
    if sys.stdout is None:
        raise OSError("Standard output is closed.")
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's waits, too
    try:
        with _abandoning(sys.stdout):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    finally:
        signal.signal(signal.SIGINT, handler)


def abandon(out: TextIO | None) -> None:
    """Drop what a stream still holds: whoever read it has gone, or is too slow."""
    if out is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


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


def _lines(result: Mapping[str, object]) -> Iterator[str]:
    width = max(map(len, result))
    for name, value in result.items():
        lines = value if isinstance(value, list) else [value]
        for line in lines or ["none"]:
            told = f"{line:,}" if isinstance(line, int) else "-" if line is None else line
            yield f"{name.replace('_', ' '):{width}}  {told}"


@contextmanager
def _abandoning(out: TextIO | None) -> Iterator[None]:
    """Abandon a stream that cannot be written, or Python would try again at its end."""
    try:
        yield
    except OSError:
        abandon(out)
        raise


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
