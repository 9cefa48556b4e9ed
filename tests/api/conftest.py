"""The application of each test, on a storage of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.applications import build_app, open_client
from tests.storages import STORAGE_URLS, StorageUrl


@pytest.fixture(scope="module")
def storage_url_in(request: pytest.FixtureRequest) -> StorageUrl:
    """What answers the URL of a storage for a folder: each kind `on_every_storage`."""
    kind: str = getattr(request, "param", "pickle")
    return STORAGE_URLS[kind]


@pytest.fixture
def storage_url(storage_url_in: StorageUrl, tmp_path: Path) -> str:
    """The storage the application works on."""
    return storage_url_in(tmp_path)


@pytest.fixture
def app(storage_url: str) -> FastAPI:
    """The application, not started yet."""
    return build_app(storage_url)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the application, which runs meanwhile."""
    with open_client(app) as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(
    storage_url_in: StorageUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """A client of one application for all tests of a module that do not mind each other."""
    with open_client(build_app(storage_url_in(tmp_path_factory.mktemp("api")))) as client:
        yield client
