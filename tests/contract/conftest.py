"""What the contract is held against, one storage after the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myapp.domain.todo_entry_repository import TodoEntryRepository
from tests.contract.storages import PERSISTENT, STORAGES, Storage


@pytest.fixture(scope="session", params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each storage."""
    name: str = request.param
    return STORAGES[name]


@pytest.fixture(scope="session", params=PERSISTENT)
def persistent(request: pytest.FixtureRequest) -> Storage:
    """Each storage that keeps what it holds when it is closed."""
    name: str = request.param
    return PERSISTENT[name]


@pytest.fixture
async def repository(storage: Storage, tmp_path: Path) -> AsyncIterator[TodoEntryRepository]:
    """An empty repository of each storage."""
    async with storage.open(tmp_path) as opened:
        yield opened
