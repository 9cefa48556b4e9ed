"""Any number of applications can live in one process."""

import pytest
from starlette.testclient import TestClient

from myapp.app import create_app
from myapp.container import ApplicationContainer
from myapp.domain.errors import StorageFull
from myapp.settings import Settings
from tests.api.answers import contents, put
from tests.api.applications import (
    FailingTodoEntryRepository,
    build_app,
    build_app_on,
    on_every_storage,
    open_client,
)
from tests.storages import StorageUrl


@pytest.fixture
def second_url(storage_url_in: StorageUrl, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The storage of another application."""
    return storage_url_in(tmp_path_factory.mktemp("second"))


@on_every_storage
def test_two_applications_share_no_entries(second_url: str, client: TestClient) -> None:
    with open_client(build_app(second_url)) as second:
        put(client, 1, "first's", tags=["a"])
        put(second, 1, "second's")
        put(second, 2, "second's too")

        assert contents(client.get("/todo")) == ["first's"]
        assert contents(second.get("/todo")) == ["second's", "second's too"]
        assert second.get("/tags").json() == []
        assert client.get("/todo").headers["ETag"] != second.get("/todo").headers["ETag"]


@on_every_storage
def test_an_application_goes_on_when_another_ends(second_url: str, client: TestClient) -> None:
    put(client, 1, "first's")
    with open_client(build_app(second_url)) as second:
        put(second, 1, "second's")

    assert contents(client.get("/todo")) == ["first's"]
    assert client.post("/todo", json={"content": "more"}).status_code == 201


def test_what_one_application_is_made_of_does_not_concern_another(client: TestClient) -> None:
    broken = build_app_on(FailingTodoEntryRepository(StorageFull("no space")))

    with open_client(broken) as other:
        assert other.post("/todo", json={"content": "x"}).status_code == 507
        assert client.post("/todo", json={"content": "x"}).status_code == 201


def test_a_prefix_belongs_to_one_application(storage_url: str, second_url: str) -> None:
    prefixed = build_app(second_url, api_prefix="/api")

    with open_client(build_app(storage_url)) as plain, open_client(prefixed) as other:
        assert other.get("/").headers["Location"] == "/api/docs"
        assert plain.get("/").headers["Location"] == "/docs"
        assert "servers" not in plain.get("/openapi.json").json()


@on_every_storage
def test_what_was_stored_is_there_after_a_restart(storage_url: str) -> None:
    with open_client(build_app(storage_url)) as client:
        before = put(client, 1, "x", tags=["a"], due="2026-12-24", done=True)

    with open_client(build_app(storage_url)) as client:
        assert client.get("/todo").json() == [before]
        assert put(client, 1, "y")["revision"] > before["revision"]


def test_an_application_that_has_ended_leaves_no_repository_in_its_container(
    storage_url: str,
) -> None:
    settings = Settings(storage_url=storage_url, storage_dir=None)
    container = ApplicationContainer(settings=settings)

    with open_client(create_app(settings, container)):
        assert container.repository.overridden

    assert not container.repository.overridden
