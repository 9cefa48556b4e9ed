"""Whether the service lives, and whether it can do its work."""

import pytest
from starlette.testclient import TestClient

from myapp.domain.errors import StorageFull, StorageUnavailable
from tests.api.answers import assert_problem
from tests.api.applications import FailingTodoEntryRepository, build_app_on, open_client


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
