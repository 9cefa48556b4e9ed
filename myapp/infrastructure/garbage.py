"""When garbage is looked for, and among which objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_OBJECTS = 5_000


@contextmanager
def lasting_objects() -> Iterator[None]:
    """Make objects that stay, which collections need not walk, now or later."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def collect_seldom() -> None:
    """Look for garbage after so many new objects that a hundred requests can have them.

    Of 16 that wait for the disk each has some 50, more together than the 700 after which
    CPython looks: to walk them all again and again was a fourteenth of a create's time.
    """
    gc.set_threshold(_NEW_OBJECTS)
