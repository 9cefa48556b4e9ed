"""Signatures of texts, by which most of those without a phrase are passed over.

A bit-sliced signature file: a slot has a bit for each text, and each word with the first byte
of the next one sets one of them (Faloutsos and Christodoulakis, "Signature files: an access
method for documents", ACM TOIS 2(4), 1984).
"""

from collections.abc import Iterator, Set
from functools import reduce
from operator import and_, itemgetter

_SLOTS = 256
_TEXTS = 4_096  # of which a slot is one integer
_FIRST = itemgetter(0)


class PhraseMasks:
    """Which of many numbered texts may have all the pairs that a phrase has."""

    def __init__(self) -> None:
        self._parts: list[list[int]] = []

    def change(self, number: int, before: bytes, after: bytes) -> None:
        """Take in what has become of the text of a number; one that is not there is empty."""
        part, place = divmod(number, _TEXTS)
        while part >= len(self._parts):
            self._parts.append([0] * _SLOTS)
        masks, bit = self._parts[part], 1 << place
        slots = _slots(before.split()) ^ _slots(after.split())
        for slot, mask in [(slot, masks[slot] ^ bit) for slot in slots]:  # all, or nothing
            masks[slot] = mask

    def find(self, pairs: Set[int]) -> Iterator[int]:
        """Answer the numbers, in their order, of the texts that may have the pairs."""
        for part, masks in enumerate(self._parts):
            found = reduce(and_, map(masks.__getitem__, pairs))
            first = part * _TEXTS
            while found:
                lowest = found & -found
                yield first + lowest.bit_length() - 1
                found ^= lowest


def pairs_in(phrase: bytes) -> Set[int]:
    """Answer the pairs in a part of a text, whose first and last word may go on beyond it."""
    return _slots(phrase.split()[1:])


def _slots(words: list[bytes]) -> Set[int]:
    pairs = zip(words, map(_FIRST, words[1:]), strict=False)
    return {pair % _SLOTS for pair in map(hash, pairs)}
