"""The storages that entries are carried between: every pair of them."""

from pathlib import Path

import pytest

from tests.storages import STORAGE_URLS


@pytest.fixture(params=STORAGE_URLS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty storage of each kind."""
    return _url(request.param, tmp_path / "source")


@pytest.fixture(params=STORAGE_URLS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of another one, of each kind."""
    return _url(request.param, tmp_path / "target")


def _url(name: str, folder: Path) -> str:
    folder.mkdir()
    return STORAGE_URLS[name](folder)
