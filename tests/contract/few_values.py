"""Entries and queries of few values each, so that they meet: ties, known ids, what is found."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from hypothesis import strategies as st

from myapp.domain.todo import Due, Priority, TodoEntry
from myapp.domain.todo_entry_repository import Position, Sort, TodoQuery
from tests.contract.entries import LATER, NOON, is_content

IDS = st.integers(min_value=0, max_value=7).map(lambda number: UUID(int=number))
TEXTS = st.text("sSßiİe\u0301😀%_ ", min_size=1, max_size=6).filter(is_content)
TAGS = st.sampled_from(["home", "HOME", "ß", "ss", "😀"])
PRIORITIES = st.sampled_from(Priority)
MOMENTS = st.sampled_from(
    [datetime.min.replace(tzinfo=UTC), NOON, LATER, datetime.max.replace(tzinfo=UTC)]
)
DUES = st.sampled_from([Due(NOON), Due(LATER), Due(NOON.date()), Due(date.max)])

DRAFTS = st.builds(
    TodoEntry,
    id=IDS,
    content=TEXTS,
    notes=st.just("") | TEXTS,
    tags=st.lists(TAGS, max_size=3).map(tuple),
    priority=PRIORITIES,
    due=st.none() | DUES,
    completed_at=st.none() | MOMENTS,
    created_at=MOMENTS,
    updated_at=MOMENTS,
)

_ORDERS = st.builds(
    TodoQuery,
    sort=st.sampled_from(Sort),
    descending=st.booleans(),
    limit=st.integers(min_value=1, max_value=4),
    counted=st.booleans(),
)


def starting_after(query: TodoQuery, entry: TodoEntry) -> TodoQuery:
    """Answer the query for the page that follows an entry, whether or not that is there."""
    return replace(query, start=Position(query.sort.key(entry), entry.id))


def _narrowed(queries: st.SearchStrategy[TodoQuery]) -> st.SearchStrategy[TodoQuery]:
    """Answer queries with one condition more."""
    return st.one_of(
        st.builds(replace, queries, search=TEXTS),
        st.builds(replace, queries, tags=st.frozensets(TAGS, min_size=1, max_size=2)),
        st.builds(replace, queries, done=st.booleans()),
        st.builds(replace, queries, priorities=st.frozensets(PRIORITIES, min_size=1)),
        st.builds(replace, queries, due_before=MOMENTS),
        st.builds(replace, queries, due_after=MOMENTS),
        st.builds(replace, queries, completed_before=MOMENTS),
        st.builds(replace, queries, completed_after=MOMENTS),
    )


QUERIES = _ORDERS | _narrowed(_ORDERS) | _narrowed(_narrowed(_ORDERS))
