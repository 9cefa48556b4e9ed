"""Schemathesis makes sessions of requests, in which one asks for what another has answered.

SCHEMATHESIS_SESSIONS sets how many.
"""

import os
from contextlib import ExitStack
from itertools import count
from typing import Any, cast
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from schemathesis.python.asgi import ASGIApp, ASGIClient

from tests.api.applications import build_app_on
from tests.api.documented import SCHEMA, Case
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository

_URL = "http://localhost"
_SESSIONS = int(os.environ.get("SCHEMATHESIS_SESSIONS", "10"))


class Sessions(SCHEMA.as_state_machine()):  # type: ignore[misc]  # a class made as it runs
    """Sessions, each with an empty application that makes the same ids as any other."""

    def setup(self) -> None:
        """Begin a session."""
        numbers = count(1)
        app = build_app_on(InMemoryTodoEntryRepository(), lambda: UUID(int=next(numbers)))
        self._opened = ExitStack()
        # An application takes any mapping, not only dicts.
        self._client = self._opened.enter_context(ASGIClient(cast(ASGIApp, app), _URL))

    def teardown(self) -> None:
        """End a session."""
        self._opened.close()

    def get_call_kwargs(self, case: Case) -> dict[str, Any]:
        """Answer how schemathesis calls the application."""
        return {"session": self._client, "base_url": _URL}


def test_every_answer_in_a_session_is_as_documented() -> None:
    Sessions.run(
        settings=settings(
            max_examples=_SESSIONS,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
