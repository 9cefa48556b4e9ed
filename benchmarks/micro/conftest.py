"""What all microbenchmarks measure with."""

from collections.abc import Sequence

import pytest

from myapp.domain.todo import TodoEntry
from tests.realistic_entries import realistic_entries


@pytest.fixture(scope="session")
def entries() -> Sequence[TodoEntry]:
    """A thousand entries like those that people write, each stored under its revision."""
    return [entry.stored(number) for number, entry in enumerate(realistic_entries(1_000), 1)]
