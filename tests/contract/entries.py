"""Entries to store, plain ones and arbitrary ones, and what is often done with a repository."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Unpack
from uuid import UUID

from hypothesis import strategies as st

from myapp.domain.errors import InvalidValue
from myapp.domain.todo import (
    CONTENT_MOST,
    NOTES_MOST,
    TAG_MOST,
    TAGS_MOST,
    Due,
    Priority,
    TodoEntry,
    TodoFields,
    normalise_content,
    normalise_tag,
)
from myapp.domain.todo_entry_repository import Page, Position, TodoEntryRepository, TodoQuery
from tests.saving import save_all

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
UNKNOWN = UUID("7d444840-9dc0-41d1-b245-5ffdce74fad2")

_numbers = count(1)


def new_entry(
    content: str = "buy oat milk",
    *,
    id: UUID | None = None,
    at: datetime = NOON,
    done: bool = False,
    **fields: Unpack[TodoFields],
) -> TodoEntry:
    """Answer an entry not stored yet; unless one is given its id follows the last one's."""
    return TodoEntry.create_from_content(
        content, id=id or UUID(int=next(_numbers)), at=at, done=done, **fields
    )


async def save(repository: TodoEntryRepository, entry: TodoEntry) -> TodoEntry:
    """Store one entry, and answer it under its new revision."""
    (stored,) = await save_all(repository, entry)
    return stored


async def pages_of(repository: TodoEntryRepository, query: TodoQuery) -> list[Page]:
    """Walk through all pages."""
    pages = [await repository.find(query)]
    seen: set[Position] = set()
    while (following := pages[-1].next) is not None:
        assert following not in seen, "the pages go round in a circle"
        seen.add(following)
        pages.append(await repository.find(replace(query, start=following)))
    return pages


async def entries_of(
    repository: TodoEntryRepository, query: TodoQuery | None = None
) -> Sequence[TodoEntry]:
    """Answer the entries on all pages of a query, by default of all that are there."""
    pages = await pages_of(repository, query or TodoQuery())
    return [entry for page in pages for entry in page.entries]


async def contents_of(
    repository: TodoEntryRepository, query: TodoQuery | None = None
) -> list[str]:
    """Answer the contents of the entries on all pages of a query."""
    return [entry.content for entry in await entries_of(repository, query)]


def is_content(text: str) -> bool:
    """Tell whether the text may be an entry's content."""
    return _is_valid(normalise_content, text)


def is_tag(text: str) -> bool:
    """Tell whether the text may be a tag."""
    return _is_valid(normalise_tag, text)


def _is_valid(normalise: Callable[[str], str], text: str) -> bool:
    try:
        normalise(text)
    except InvalidValue:
        return False
    return True


_CHARACTERS = st.one_of(
    st.characters(exclude_categories=("Cc", "Cs")),
    st.sampled_from("aAbBsSßẞıIİσς\u0301\u0323%_\\*?'\"😀𐐀𐐨\U0010ffff\ufffe"),
)
_LINES = st.one_of(_CHARACTERS, st.sampled_from("\n\t"))
_PIECES = (
    *("a", "bc", "q", "é", "e\u0301", "ß", "İ", "牛乳", "жизнь", "😀", "👩\u200d👧", "x" * 40),
    *"%_\\'\"-\ufffe\n\t\u00a0\u2028\u3000",
    *" " * 16,
)

contents = st.one_of(
    st.text(_CHARACTERS, min_size=1, max_size=30).filter(is_content),
    st.sampled_from(["x" * CONTENT_MOST, "😀" * CONTENT_MOST, "ß" * 60, "é" * 101]),
)
notes = st.one_of(
    st.text(_LINES, max_size=60), st.sampled_from(["", "😀" * NOTES_MOST, "a\n\tb\n\nc"])
)
phrases = st.lists(st.sampled_from(_PIECES), max_size=14).map("".join)
"""Words, few and unusual ones, so that some are there twice, with whatever between them."""

tag_names = st.one_of(
    st.sampled_from(["home", "Home", "straße", "STRASSE", "店", "😀" * TAG_MOST]),
    st.text(_CHARACTERS, min_size=1, max_size=8).filter(is_tag),
)
tags = st.one_of(
    st.lists(tag_names, max_size=4).map(tuple),
    st.just(tuple(f"tag-{number}" for number in range(TAGS_MOST))),
)
moments = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(
        [
            NOON,
            LATER,
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ]
    ),
)
days = st.one_of(st.dates(), st.sampled_from([date.min, date.max, NOON.date()]))
dues = st.none() | st.builds(Due, days | moments)
priorities = st.sampled_from(Priority)

entries = st.builds(
    TodoEntry,
    id=st.uuids() | st.sampled_from([UUID(int=0), UUID(int=2**128 - 1)]),
    content=contents,
    notes=notes,
    tags=tags,
    priority=priorities,
    due=dues,
    completed_at=st.none() | moments,
    created_at=moments,
    updated_at=moments,
)
