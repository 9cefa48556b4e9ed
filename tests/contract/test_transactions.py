"""SQL only: which transactions saves share, and what becomes of those that fail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import ClauseElement

from myapp.domain.errors import StorageUnavailable, TodoEntryNotFound
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.sql.statements import Statements, Values
from myapp.infrastructure.database.storage import open_storage
from tests.contract.entries import new_entry
from tests.postgresql_server import shared_postgresql
from tests.saving import save_all
from tests.storages import STORAGE_URLS

FAILS_ONCE = """
    CREATE SEQUENCE tries;
    CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') = 1 THEN RAISE SQLSTATE '{state}'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail_once BEFORE INSERT ON todo_entry
        FOR EACH ROW EXECUTE FUNCTION fail_once()
"""
"""A sequence is not rolled back: so what fails once succeeds when it is tried again."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def repository(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[TodoEntryRepository]:
    """An empty repository on each database."""
    name: str = request.param
    async with open_storage(STORAGE_URLS[name](tmp_path)) as opened:
        yield opened


async def test_saves_that_wait_share_the_next_transaction(
    repository: TodoEntryRepository,
) -> None:
    with _executed() as statements:
        first = asyncio.create_task(repository.save(new_entry("first")))
        while not statements:
            await asyncio.sleep(0)
        saves = (repository.save(new_entry(f"entry {number}")) for number in range(100))
        stored = await asyncio.gather(first, *saves)
    assert statements.count("COMMIT") == 2  # that of the first, and that of all others
    revisions = sorted(entry.revision for entries in stored for entry in entries)
    assert revisions == list(range(1, 102))


async def test_a_save_is_tried_again_when_its_connection_was_lost_before_the_commit(
    repository: TodoEntryRepository,
) -> None:
    with _lost_at("INSERT INTO todo_entry "):
        (stored,) = await save_all(repository, new_entry())
    assert await repository.get(stored.id) == stored


async def test_a_save_is_not_tried_again_once_its_commit_was_sent(
    repository: TodoEntryRepository,
) -> None:
    entry = new_entry()
    with _lost_at("COMMIT"), pytest.raises(StorageUnavailable):
        await repository.save(entry)
    with pytest.raises(TodoEntryNotFound):
        await repository.get(entry.id)
    (stored,) = await save_all(repository, entry)
    assert stored.revision == 1


async def test_a_read_is_tried_again_when_its_connection_was_lost(
    repository: TodoEntryRepository,
) -> None:
    (stored,) = await save_all(repository, new_entry())
    with _lost_at("SELECT "):
        assert await repository.get(stored.id) == stored


async def test_a_save_given_up_by_its_caller_is_stored_all_the_same(
    repository: TodoEntryRepository,
) -> None:
    entry = new_entry()
    task = asyncio.create_task(repository.save(entry))
    await asyncio.sleep(0)  # for the task to begin
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (other,) = await save_all(repository, new_entry())  # in the same transaction, or the next
    assert (await repository.get(entry.id)).revision < other.revision


@pytest.mark.parametrize("state", ["40001", "40P01"], ids=["serialisation", "deadlock"])
async def test_a_save_that_yielded_to_another_is_tried_again(
    tmp_path: Path, state: str
) -> None:
    url = STORAGE_URLS["postgresql"](tmp_path)
    database = url.rpartition("/")[2]
    shared_postgresql().execute(FAILS_ONCE.format(state=state), database=database)
    async with open_storage(url) as repository:
        (stored,) = await save_all(repository, new_entry())
        assert await repository.get(stored.id) == stored


@contextmanager
def _executed() -> Iterator[list[str]]:
    """Answer the list of all statements that are executed meanwhile."""
    statements: list[str] = []
    with _before_each(statements.append):
        yield statements


@contextmanager
def _lost_at(beginning: str) -> Iterator[None]:
    """Lose the connection when it is to execute the first statement that begins so."""
    found: list[str] = []

    def lose(statement: str) -> None:
        if statement.startswith(beginning) and not found:
            found.append(statement)
            raise ConnectionResetError("lost by a test")

    with _before_each(lose):
        yield
    assert found


@contextmanager
def _before_each(call: Callable[[str], None]) -> Iterator[None]:
    """Call with each statement before it is executed."""
    fill = Statements.fill

    def called(
        self: Statements, statement: ClauseElement, values: Values
    ) -> tuple[str, Sequence[object]]:
        filled, places = fill(self, statement, values)
        call(filled)
        return filled, places

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Statements, "fill", called)
        yield
