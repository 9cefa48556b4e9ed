"""Ids that are made in another way than UUID makes them, and are the same."""

from copy import deepcopy
from uuid import UUID

import pytest

from myapp.infrastructure.database.ids import to_id, to_ids

NUMBERS = [0, 1, 2**64, 2**128 - 1]


def test_ids_are_those_that_uuid_makes() -> None:
    ids = to_ids(NUMBERS)

    assert ids == list(map(to_id, NUMBERS)) == [UUID(int=number) for number in NUMBERS]
    assert list(map(deepcopy, ids)) == ids


def test_there_may_be_none() -> None:
    assert to_ids([]) == []


@pytest.mark.parametrize("number", [-1, 2**128])
def test_what_has_more_than_16_bytes_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        to_id(number)
    with pytest.raises(ValueError, match="16 bytes"):
        to_ids([1, number])
