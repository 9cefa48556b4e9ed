"""The sweeper: drops, now and then, what need not be kept any longer."""

import asyncio
import logging

from myapp.application.todo_service import TodoService
from myapp.domain.errors import StorageUnavailable

SWEEP_EVERY = 60.0
"""Seconds between the end of a sweep and the next one."""

_log = logging.getLogger(__name__)


async def sweep_regularly(service: TodoService, *, every: float = SWEEP_EVERY) -> None:
    """Sweep until cancelled; a sweep that fails is made up for by the next."""
    while True:
        await asyncio.sleep(every)
        try:
            await service.forget()
        except StorageUnavailable as error:
            _log.warning("old changes cannot be dropped now: %s", error)
        except Exception:  # it must go on, and the next sweep may succeed
            _log.exception("old changes could not be dropped")
