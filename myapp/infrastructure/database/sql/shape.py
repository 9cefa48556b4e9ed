"""What of a TodoQuery makes its statements, and what are but values in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import ge, lt
from typing import Any, Self

from myapp.domain.text import fold
from myapp.domain.todo import TAGS_MOST
from myapp.domain.todo_entry_repository import Sort, SortKey, TodoQuery
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.sql.statements import Values
from myapp.infrastructure.database.sql.text_search import Condition, TextSearch, words_in

_SHORTEST_INDEXED_SEARCH = 3  # code points; the search indexes know texts by their trigrams
BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], Condition]]] = {
    "due_before": ("due", lt),
    "due_after": ("due", ge),
    "completed_before": ("completed_at", lt),
    "completed_after": ("completed_at", ge),
}
"""Of which column each bound of a query is one, and how its values compare to that."""

_SORT_COLUMNS = {
    Sort.CREATED: "created_at",
    Sort.UPDATED: "updated_at",
    Sort.DUE: "due",
    Sort.PRIORITY: "priority",
    Sort.CONTENT: "content_key",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes the statement for a query, apart from the values in it."""

    sort: Sort
    descending: bool
    started: bool
    start_has_key: bool
    done: bool | None
    prioritised: bool
    tagged: bool
    bounds: frozenset[str]
    searched: bool
    search_indexed: bool
    tag_searched: bool
    word_searched: bool
    counted: bool

    @classmethod
    def of(cls, query: TodoQuery) -> Self:
        """Answer the shape of a query."""
        wanted = fold(query.search)
        return cls(
            sort=query.sort,
            descending=query.descending,
            started=query.start is not None,
            start_has_key=query.start is not None and query.start.key is not None,
            done=query.done,
            prioritised=bool(query.priorities),
            tagged=bool(query.tags),
            bounds=frozenset(name for name in BOUNDS if getattr(query, name) is not None),
            searched=bool(query.search),
            search_indexed=len(wanted) >= _SHORTEST_INDEXED_SEARCH,
            # No tag has a space: so to look for one in each text took half as long again.
            tag_searched=" " not in query.search,
            word_searched=bool(words_in(wanted)),
            counted=query.counted,
        )

    @property
    def sort_column(self) -> str:
        """The name of the column that the entries are sorted by."""
        return _SORT_COLUMNS[self.sort]

    @property
    def filtered(self) -> bool:
        """Whether a stretch of the order may hold entries that do not match."""
        return bool(self.prioritised or self.tagged or self.bounds or self.searched)

    @property
    def in_halves(self) -> bool:
        """Whether there is a condition that it takes both indexes of an order to answer."""
        due = any(BOUNDS[bound][0] == "due" for bound in self.bounds)
        return self.done is None and (self.prioritised or due)


def values_of(query: TodoQuery, search: TextSearch) -> Values:
    """Answer the values in the statements for a query, `window` aside."""
    values: dict[str, object] = {"limit": query.limit + 1}
    if query.start is not None:
        values |= {"key": _stored(query.start.key), "id": query.start.id}
    if query.priorities:
        values["priorities"] = sorted(priority.rank for priority in query.priorities)
    if query.tags:  # more than an entry may have are as good as one more
        values["tags"] = sorted(query.tags)[: TAGS_MOST + 1]
        values["number_of_tags"] = len(query.tags)
    for name in BOUNDS:
        values[name] = to_microseconds(getattr(query, name))
    if query.search:
        values |= search.values(fold(query.search))
    return values


def _stored(key: SortKey) -> int | str | None:
    """Answer a key as the tables have it."""
    if isinstance(key, datetime):
        return to_microseconds(key)
    if isinstance(key, str):
        return key.partition("\0")[0]  # no entry has one, and PostgreSQL takes none
    return key
