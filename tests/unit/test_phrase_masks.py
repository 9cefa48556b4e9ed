"""Signatures of texts: whatever has a phrase is among what they find, and little else."""

from itertools import pairwise
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from myapp.infrastructure.database.phrase_masks import PhraseMasks, pairs_in

_WORDS = st.text(st.sampled_from("ab \né\0\x02"), max_size=40).map(str.encode)


@given(
    st.dictionaries(st.integers(0, 10_000), st.tuples(_WORDS, _WORDS, _WORDS), min_size=1),
    st.data(),
)
def test_a_text_is_found_by_any_part_of_it(
    parts: dict[int, tuple[bytes, bytes, bytes]], data: st.DataObject
) -> None:
    masks = PhraseMasks()
    for number, (begin, phrase, end) in parts.items():
        masks.change(number, b"", begin + phrase + end)
    wanted = data.draw(st.sampled_from(sorted(parts)))
    pairs = pairs_in(parts[wanted][1])
    assert not pairs or wanted in masks.find(pairs)


def test_texts_without_the_phrase_are_passed_over_in_their_order() -> None:
    masks = PhraseMasks()
    for number in reversed(range(10_000)):
        masks.change(number, b"", b"buy oat milk for %d people" % (number % 5_000))
    assert list(masks.find(pairs_in(b"uy oat milk for 4321 p"))) != []
    counts = []
    for number in range(4_300, 4_350):
        found = list(masks.find(pairs_in(b"milk for %d people" % number)))
        assert found == sorted(found)
        assert {number, number + 5_000} <= {*found}
        counts.append(len(found))
    # Of one phrase in sixty a pair has the slot of one that all texts have: hashes are random.
    assert median(counts) < 200


@given(st.lists(_WORDS, min_size=1, max_size=50), _WORDS)
def test_a_text_is_found_by_what_it_is_and_not_by_what_it_was(
    texts: list[bytes], other: bytes
) -> None:
    changed, new = PhraseMasks(), PhraseMasks()
    for before, after in pairwise([b"", *texts]):
        changed.change(5_000, before, after)
    new.change(5_000, b"", texts[-1])
    for phrase in (*texts, other):
        if pairs := pairs_in(phrase):
            assert [*changed.find(pairs)] == [*new.find(pairs)]


def test_one_word_and_parts_of_two_have_no_pairs() -> None:
    assert not pairs_in(b"milk")
    assert not pairs_in(b"oat milk")
    assert pairs_in(b"uy oat m")
