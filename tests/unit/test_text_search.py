"""What SQL storages know texts by: the words between two others."""

import pytest
from hypothesis import given

from myapp.infrastructure.database.sql.text_search import words_in
from tests.contract.entries import phrases


@given(phrases)
def test_the_words_of_a_part_of_a_text_are_among_those_of_the_text(text: str) -> None:
    known = set(words_in(text).split())
    for place in range(len(text)):
        for part in (text[:place], text[place:]):
            assert known.issuperset(words_in(part).split()), part


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("oat milk", 0),
        ("buy oat milk", 1),
        ("all of it now", 2),  # short ones between others are whole
        ("y the garden invoice", 1),  # and may be the rest of another at the edge
        ("the garden invoice p", 1),
        ("y garden p", 0),
        ("pay  the garden", 0),
    ],
)
def test_a_word_is_known_with_those_next_to_it(text: str, number: int) -> None:
    assert len(words_in(text).split()) == number


def test_three_characters_of_those_next_to_it_count() -> None:
    oat = words_in("buy oat milk")
    assert words_in("you buy oat mill").split()[1] == oat
    assert words_in("to-buy oat milk") == oat
    for other in ("but oat milk", "buy oats milk", "buy oat malt", "by oat milk"):
        assert words_in(other) != oat
