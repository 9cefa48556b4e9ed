"""The signals that ask a process to end, and what they do before it serves."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def leaving_quietly() -> Iterator[None]:
    """Meanwhile Ctrl-C and SIGTERM end the process at once, with the code shells know them by.

    Python would show a traceback; and the first process of a container is not ended by a
    signal that it has said nothing about.
    """
    before = {number: signal.signal(number, _leave) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def on_stop(handler: Handler) -> None:
    """Let the handler have every signal that asks the process to end."""
    for number in stops():
        signal.signal(number, handler)


def stops() -> list[signal.Signals]:
    """Answer the signals that ask a process to end.

    That of a terminal which is closed is one, unless nohup has it ignored.
    """
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [*_STOPS] if is_ignored else [*_STOPS, signal.SIGHUP]


def leave_at_once(_number: int, _frame: FrameType | None) -> None:
    """End the process at once, as it was asked to: nothing was promised to anybody yet."""
    os._exit(0)


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


_STOPS = (signal.SIGINT, signal.SIGTERM)
