"""Who shares a commit: what is saved while one is under way, and what comes right after it."""

import asyncio
from collections.abc import Sized

_QUIET_TURNS = 2
_ENOUGH = 64


async def let_more_come(waiting: Sized) -> None:
    """Let the event loop turn until two turns have brought no more that wait, or enough do.

    Those whom a commit has answered ask again together. The first of them would get a commit
    of its own, and keep the others waiting for that: 16 clients came to 7 a commit instead of
    15, and to a seventh less creates a second. For one client it takes no time to speak of.
    """
    quiet = 0
    while quiet < _QUIET_TURNS and (before := len(waiting)) < _ENOUGH:
        await asyncio.sleep(0)
        quiet = quiet + 1 if len(waiting) == before else 0
