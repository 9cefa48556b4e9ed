"""Databases: a page is found once, until anybody changes anything."""

from pathlib import Path

import pytest

from myapp.domain.todo_entry_repository import TodoQuery
from myapp.infrastructure.database.storage import open_storage
from tests.contract.entries import LATER, new_entry
from tests.saving import save_all
from tests.storages import STORAGE_URLS

pytestmark = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])

_QUERIES = [TodoQuery(), TodoQuery(search="milk", counted=True), TodoQuery(done=True)]


@pytest.mark.parametrize("query", _QUERIES)
@pytest.mark.parametrize("is_own", [True, False], ids=["its own", "another's"])
async def test_a_page_is_known_until_a_change(
    tmp_path: Path, kind: str, query: TodoQuery, is_own: bool
) -> None:
    url = STORAGE_URLS[kind](tmp_path)
    async with open_storage(url) as repository, open_storage(url) as another:
        changing = repository if is_own else another
        (entry,) = await save_all(changing, new_entry("oat milk"))

        page = await repository.find(query)
        assert await repository.find(query) is page

        (entry,) = await save_all(changing, entry.complete(at=LATER))
        found = await repository.find(query)
        assert [*found.entries] == [entry]
        assert found.revision == entry.revision

        await save_all(changing, entry.remove(at=LATER))
        assert not (await repository.find(query)).entries
