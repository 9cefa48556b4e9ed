"""What the state machines share: a storage that can be closed and opened again."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import uvloop
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from myapp.domain.todo_entry_repository import TodoEntryRepository
from tests.contract.storages import Storage

Answer = TypeVar("Answer")


class StorageMachine(RuleBasedStateMachine):
    """A repository, open as long as the machine runs."""

    _storage: Storage

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._opened = AsyncExitStack()
        self.repository = self._open()

    def teardown(self) -> None:
        """Give everything back."""
        super().teardown()
        self.run(self._opened.aclose())
        self._runner.close()
        self._folder.cleanup()

    @precondition(lambda self: self._storage.persists)
    @rule()
    def reopen(self) -> None:
        """Close the storage, and open it again."""
        self.run(self._opened.aclose())
        self.repository = self._open()

    def run(self, answering: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for an answer of the repository."""
        return self._runner.run(answering)

    def _open(self) -> TodoEntryRepository:
        opening = self._storage.open(Path(self._folder.name))
        return self.run(self._opened.enter_async_context(opening))
