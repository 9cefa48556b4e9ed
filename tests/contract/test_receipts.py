"""Every repository: receipts are stored with what they are for, and each key but once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.change import Change
from myapp.domain.errors import ReceiptExists, StaleTodoEntry
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt, TodoEntryRepository
from tests.contract import entries as arbitrary
from tests.contract.entries import LATER, NOON, entries_of, new_entry, save
from tests.contract.following import follow
from tests.contract.storages import Storage
from tests.saving import save_all

RECEIPT = Receipt(key="8e03978e", digest="a digest", at=NOON)


async def read(
    repository: TodoEntryRepository, key: str = RECEIPT.key
) -> tuple[Receipt, Sequence[Change]] | None:
    """Answer the receipt under a key as it was given, and its changes."""
    found = await repository.receipt(key)
    return (replace(found, changes=()), list(found.changes)) if found else None


async def test_under_a_key_never_used_there_is_no_receipt(
    repository: TodoEntryRepository,
) -> None:
    assert await repository.receipt(RECEIPT.key) is None
    await repository.save(new_entry(), receipt=RECEIPT)
    assert await repository.receipt("another key") is None


async def test_a_receipt_is_stored_with_the_changes_that_it_is_for(
    repository: TodoEntryRepository,
) -> None:
    one, two, _ = await save_all(repository, *(new_entry() for _ in range(3)))
    changes = await repository.save(
        two.remove(at=LATER), new_entry(), one.complete(at=LATER), receipt=RECEIPT
    )
    await save(repository, new_entry())
    assert await read(repository) == (RECEIPT, list(changes))


async def test_a_receipt_may_be_for_a_request_that_changed_nothing(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    assert list(await repository.save(receipt=RECEIPT)) == []
    assert await read(repository) == (RECEIPT, [])
    assert await repository.history.revision() == stored.revision


async def test_a_receipt_tells_what_was_changed_whatever_has_become_of_it(
    repository: TodoEntryRepository,
) -> None:
    changes = await repository.save(new_entry(), new_entry(), receipt=RECEIPT)
    one, two = (change.after for change in changes)
    await repository.save(one.complete(at=LATER), two.remove(at=LATER))
    assert await read(repository) == (RECEIPT, list(changes))


@pytest.mark.parametrize("digest", [RECEIPT.digest, "another digest"])
@pytest.mark.parametrize("is_empty", [True, False], ids=["nothing", "entries"])
async def test_a_key_is_used_once(
    repository: TodoEntryRepository, digest: str, is_empty: bool
) -> None:
    (change,) = await repository.save(new_entry(), receipt=RECEIPT)
    drafts = () if is_empty else (new_entry(), change.after.complete(at=LATER))
    with pytest.raises(ReceiptExists) as caught:
        await repository.save(*drafts, receipt=replace(RECEIPT, digest=digest, at=LATER))
    assert caught.value.key == RECEIPT.key
    assert await entries_of(repository) == [change.after]
    assert await follow(repository.history, 0) == [change]
    assert await read(repository) == (RECEIPT, [change])


async def test_a_save_that_is_refused_stores_no_receipt(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    with pytest.raises(StaleTodoEntry):
        await repository.save(
            new_entry(), replace(stored, revision=stored.revision + 1), receipt=RECEIPT
        )
    assert await repository.receipt(RECEIPT.key) is None
    changes = await repository.save(stored.complete(at=LATER), receipt=RECEIPT)
    assert await read(repository) == (RECEIPT, list(changes))


async def test_keys_are_told_apart_by_every_character(repository: TodoEntryRepository) -> None:
    keys = ["key", "KEY", "key ", " key", "ke\u0301y", "k\u00e9y", "%", "_", "k" * 255]
    for number, key in enumerate(keys):
        await repository.save(receipt=replace(RECEIPT, key=key, digest=f"{number}"))
    found = [await repository.receipt(key) for key in keys]
    assert [receipt.digest for receipt in found if receipt] == [
        f"{number}" for number in range(len(keys))
    ]


async def test_of_concurrent_saves_under_the_same_key_one_wins(
    repository: TodoEntryRepository,
) -> None:
    saves = (repository.save(new_entry(), receipt=RECEIPT) for _ in range(20))
    answers = await asyncio.gather(*saves, return_exceptions=True)
    (winner,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert sum(isinstance(answer, ReceiptExists) for answer in answers) == 19
    assert await read(repository) == (RECEIPT, list(winner))
    assert await follow(repository.history, 0) == list(winner)


async def test_a_key_that_failed_at_the_same_time_can_still_be_used(
    repository: TodoEntryRepository,
) -> None:
    stored = await save(repository, new_entry())
    stale = replace(stored, revision=stored.revision + 1)
    answers = await asyncio.gather(
        repository.save(stale, receipt=RECEIPT),
        repository.save(stored.complete(at=LATER), receipt=RECEIPT),
        return_exceptions=True,
    )
    assert isinstance(answers[0], StaleTodoEntry)
    assert not isinstance(answers[1], BaseException)
    assert await read(repository) == (RECEIPT, list(answers[1]))


async def test_a_receipt_that_nobody_waits_for_any_more_is_stored_with_its_changes_or_not(
    repository: TodoEntryRepository,
) -> None:
    saving = asyncio.create_task(repository.save(new_entry(), new_entry(), receipt=RECEIPT))
    await asyncio.sleep(0)
    saving.cancel()
    await asyncio.wait([saving])
    await save(repository, new_entry("later"))
    found = await read(repository)
    changes = await follow(repository.history, 0)
    assert [change.after.content for change in changes][-1] == "later"
    assert (found[1] if found else []) == changes[:-1]


async def test_a_key_is_used_even_if_nobody_waits_for_what_was_stored_under_it(
    repository: TodoEntryRepository,
) -> None:
    await save(repository, new_entry("before"))
    saving = asyncio.create_task(repository.save(new_entry("first"), receipt=RECEIPT))
    await asyncio.sleep(0)
    saving.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(ReceiptExists):
            await repository.save(new_entry("again"), receipt=RECEIPT)
    assert [entry.content for entry in await entries_of(repository)] == ["before", "first"]


async def test_a_receipt_may_be_for_many_changes(repository: TodoEntryRepository) -> None:
    drafts = [new_entry(f"{number}") for number in range(1_500)]
    changes = await repository.save(*drafts, receipt=RECEIPT)
    assert await read(repository) == (RECEIPT, list(changes))


_TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
_RECEIPTS = st.builds(Receipt, key=_TEXTS, digest=_TEXTS, at=arbitrary.moments)


@given(
    receipts=st.lists(_RECEIPTS, min_size=1, max_size=3, unique_by=lambda given: given.key),
    drafts=st.lists(arbitrary.entries, max_size=3, unique_by=lambda entry: entry.id),
    at=arbitrary.moments,
)
@settings(max_examples=20)
async def test_receipts_are_kept_as_they_were(
    persistent: Storage,
    receipts: Sequence[Receipt],
    drafts: Sequence[TodoEntry],
    at: datetime,
) -> None:
    stored: dict[str, tuple[Receipt, Sequence[Change]]] = {}
    with TemporaryDirectory() as folder:
        async with persistent.open(Path(folder)) as repository:
            entries = drafts
            for given_receipt in receipts:
                changes = list(await repository.save(*entries, receipt=given_receipt))
                stored[given_receipt.key] = given_receipt, changes
                entries = [change.after.remove(at=at) for change in changes]
            assert {key: await read(repository, key) for key in stored} == stored
        async with persistent.open(Path(folder)) as repository:
            assert {key: await read(repository, key) for key in stored} == stored
            for given_receipt in receipts:
                with pytest.raises(ReceiptExists):
                    await repository.save(receipt=given_receipt)
