"""Whether the service lives, and whether it can do its work."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from myapp.app import create_app
from myapp.container import ApplicationContainer
from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.settings import Settings
from tests.api.answers import assert_problem
from tests.api.applications import FailingTodoEntryRepository, build_app_on, open_client
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository


@pytest.mark.parametrize("name", ["live", "ready"])
def test_good_news_is_short(client: TestClient, name: str) -> None:
    response = client.get(f"/health/{name}")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"status": name}


def test_the_service_lives_even_when_its_storage_does_not() -> None:
    repository = FailingTodoEntryRepository(StorageUnavailable("The storage is gone."))

    with open_client(build_app_on(repository)) as client:
        assert client.get("/health/live").json() == {"status": "live"}


def test_a_storage_that_is_not_ready_is_named() -> None:
    error = StorageUnavailable("The journal has to be rewritten.", retry_after=3)

    with open_client(build_app_on(FailingTodoEntryRepository(error))) as client:
        response = client.get("/health/ready")

    problem = assert_problem(response, "storage-unavailable")
    assert problem["title"] == "The storage is not ready"
    assert problem["detail"] == "The journal has to be rewritten."
    assert response.headers["Retry-After"] == "3"


def test_a_storage_without_space_is_not_ready() -> None:
    error = StorageFull("There is no space left.")

    with open_client(build_app_on(FailingTodoEntryRepository(error))) as client:
        response = client.get("/health/ready")

    problem = assert_problem(response, "storage-unavailable")
    assert problem["detail"] == "There is no space left."
    assert int(response.headers["Retry-After"]) > 0


def test_a_service_that_is_stopping_is_not_ready_and_yet_alive(tmp_path: Path) -> None:
    settings = Settings(storage_url=f"sqlite:///{tmp_path}/todo.db", storage_dir=None)
    container = ApplicationContainer(settings=settings)

    with open_client(create_app(settings, container)) as client:
        container.readiness().stop()
        response = client.get("/health/ready")
        assert client.get("/health/live").status_code == 200
        assert client.get("/todo").json() == []

    problem = assert_problem(response, "stopping")
    assert problem["detail"] == "The service is stopping."
    assert int(response.headers["Retry-After"]) > 0


def test_the_storage_is_not_tried_for_each_who_asks() -> None:
    repository = CountingTodoEntryRepository()

    with open_client(build_app_on(repository)) as client:
        for _ in range(20):
            assert client.get("/health/ready").status_code == 200

    assert repository.checks < 20


class CountingTodoEntryRepository(InMemoryTodoEntryRepository):
    """Counts how often it was checked."""

    checks = 0

    async def check(self) -> None:
        self.checks += 1
        await super().check()
