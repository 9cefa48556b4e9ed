"""What the tests of the use cases share."""

import pytest

from myapp.application.todo_service import TodoService
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository
from tests.unit.services import service_on


@pytest.fixture
def repository() -> InMemoryTodoEntryRepository:
    """An empty repository."""
    return InMemoryTodoEntryRepository()


@pytest.fixture
def service(repository: InMemoryTodoEntryRepository) -> TodoService:
    """A service on that repository."""
    return service_on(repository)
