"""Every repository: which tags are in use, and by how many entries."""

from collections import Counter

from myapp.domain.todo_entry_repository import TagUse, TodoEntryRepository
from tests.contract.entries import LATER, entries_of, new_entry, save
from tests.realistic_entries import realistic_entries
from tests.saving import save_all


async def test_without_entries_no_tag_is_in_use(repository: TodoEntryRepository) -> None:
    assert list(await repository.tags()) == []
    await save(repository, new_entry())
    assert list(await repository.tags()) == []


async def test_tags_are_counted_by_open_and_by_all_entries(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(
        new_entry(tags=("home", "shop")),
        new_entry(tags=("home",), done=True),
        new_entry(tags=("home",)),
        new_entry(tags=("done",), done=True),
    )
    assert list(await repository.tags()) == [
        TagUse("done", 0, 1),
        TagUse("home", 2, 3),
        TagUse("shop", 1, 1),
    ]


async def test_tags_are_sorted_by_code_point_and_told_apart_exactly(
    repository: TodoEntryRepository,
) -> None:
    names = ["!", "A", "Z", "_", "a", "z", "É", "é", "İ", "ı", "ſ", "店", "ﾊ", "𐐀", "😀"]
    await repository.save(new_entry(tags=tuple(reversed(names))), new_entry(tags=("a",)))
    assert [use.tag for use in await repository.tags()] == names
    assert {use.tag for use in await repository.tags() if use.all == 2} == {"a"}


async def test_tag_counts_follow_an_entry_through_its_life(
    repository: TodoEntryRepository,
) -> None:
    other = await save(repository, new_entry(tags=("home",)))
    entry = await save(repository, new_entry(tags=("home", "shop")))
    home, shop = TagUse("home", 2, 2), TagUse("shop", 1, 1)
    assert list(await repository.tags()) == [home, shop]

    entry = await save(repository, entry.complete(at=LATER))
    assert list(await repository.tags()) == [TagUse("home", 1, 2), TagUse("shop", 0, 1)]

    entry = await save(repository, entry.change(at=LATER, content="something else"))
    assert list(await repository.tags()) == [TagUse("home", 1, 2), TagUse("shop", 0, 1)]

    entry = await save(repository, entry.reopen(at=LATER))
    assert list(await repository.tags()) == [home, shop]

    entry = await save(repository, entry.remove_tag("shop", at=LATER))
    assert list(await repository.tags()) == [home]

    entry = await save(repository, entry.change(at=LATER, tags=("office",), done=True))
    assert list(await repository.tags()) == [TagUse("home", 1, 1), TagUse("office", 0, 1)]

    entry = await save(repository, entry.remove(at=LATER))
    assert list(await repository.tags()) == [TagUse("home", 1, 1)]

    entry = await save(repository, new_entry(id=entry.id, tags=("shop",)))
    assert list(await repository.tags()) == [TagUse("home", 1, 1), shop]

    await repository.save(entry.remove(at=LATER), other.remove(at=LATER))
    assert list(await repository.tags()) == []


async def test_tag_counts_are_those_of_the_entries(repository: TodoEntryRepository) -> None:
    stored = await save_all(repository, *realistic_entries(200))
    await repository.save(
        *(entry.remove(at=LATER) for entry in stored[:50]),
        *(entry.change(at=LATER, done=not entry.done) for entry in stored[50:100]),
    )
    entries = await entries_of(repository)
    every = Counter(tag for entry in entries for tag in entry.tags)
    still_open = Counter(tag for entry in entries for tag in entry.tags if not entry.done)
    assert list(await repository.tags()) == [
        TagUse(tag, still_open[tag], every[tag]) for tag in sorted(every)
    ]
