"""What the domain takes: making, changing and matching entries, and folding their texts."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from benchmarks.micro.measuring import Measure, group
from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoQuery
from tests.realistic_entries import BEGINNING

pytestmark = group("domain: a thousand entries")


def test_create(benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]) -> None:
    """As of what a client sends: every text is checked and normalised."""

    def create() -> Sequence[TodoEntry]:
        return [
            TodoEntry.create_from_content(
                entry.content,
                id=entry.id,
                at=entry.created_at,
                notes=entry.notes,
                tags=entry.tags,
                priority=entry.priority,
                due=entry.due,
            )
            for entry in entries
        ]

    created = benchmark(create)

    assert len(created) == len(entries)


def test_change_content(
    benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]
) -> None:
    at = BEGINNING + timedelta(days=365)

    changed = benchmark(lambda: [entry.change(content="other", at=at) for entry in entries])

    assert changed != entries


def test_complete_and_reopen(
    benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]
) -> None:
    at = BEGINNING + timedelta(days=365)

    reopened = benchmark(lambda: [entry.complete(at=at).reopen(at=at) for entry in entries])

    assert reopened != entries


def test_fold_content(
    benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]
) -> None:
    """In all scripts; of what is ASCII nothing but the case changes."""
    texts = [entry.content for entry in entries]

    folded = benchmark(lambda: [fold(text) for text in texts])

    assert folded != texts


@pytest.mark.parametrize(
    "query",
    [
        TodoQuery(done=False, tags=frozenset({"home-1"})),
        TodoQuery(due_after=BEGINNING, due_before=BEGINNING + timedelta(days=30)),
        TodoQuery(search="dentist"),
    ],
    ids=["open with a tag", "due within a month", "a text"],
)
def test_match(
    benchmark: Measure[Sequence[object]], query: TodoQuery, entries: Sequence[TodoEntry]
) -> None:
    matching = benchmark(lambda: [entry for entry in entries if query.matches(entry)])

    assert 0 < len(matching) < len(entries)
