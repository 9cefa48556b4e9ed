"""Many states as columns: a few long values, which are read in a third of the time of rows.

`ids` follow each other, a zero before each: two that a client has chosen could otherwise look
like the beginning of a frame. So do, in `texts`, all contents and then all notes, in UTF-8.
`sizes` are their lengths in bytes, then how many tags each state has, then the priorities.
These and `tags` are places in `words`. `numbers` are the times of creation, those of the last
change, and the revisions. What most states lack is told with the places of the others. Integers
are little-endian, of 4 bytes each, and of 8 in `numbers`.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from itertools import accumulate, chain, pairwise, repeat
from struct import pack, unpack
from typing import TypeVar

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.ids import SIZE, to_ids
from myapp.infrastructure.database.moments import to_moment, to_moments
from myapp.infrastructure.database.states import (
    PRIORITIES,
    TAGS_MOST,
    Fields,
    check_texts,
    to_due,
    to_tuple,
)

_Stored = TypeVar("_Stored", int, int | str)
_Value = TypeVar("_Value")
_Sparse = tuple[bytes, Sequence[_Stored]]

_ID_SIZE = SIZE + 1  # with the zero


def to_columns(states: Iterable[TodoEntry]) -> Fields:
    """Answer the columns of states, of which there has to be one at least."""
    rows = zip(*map(to_tuple, states), strict=True)
    ids, contents, notes, tags, priorities, due, completed, removed, *numbers = rows
    texts = [text.encode() for text in contents + notes]
    words = dict.fromkeys([*priorities, *chain.from_iterable(tags)])
    places = {word: place for place, word in enumerate(words)}
    return (
        b"\0".join([b"", *ids]),
        b"".join(texts),
        tuple(words),
        _sizes([*map(len, texts), *map(len, tags), *(places[name] for name in priorities)]),
        _sizes([places[tag] for tag in chain.from_iterable(tags)]),
        pack(f"<{3 * len(ids)}q", *chain.from_iterable(numbers)),
        _sparse(due),
        _sparse(completed),
        _sparse(removed),
    )


def from_columns(
    ids: bytes,
    texts: bytes,
    words: Sequence[str],
    sizes: bytes,
    tags: bytes,
    numbers: bytes,
    due: _Sparse[int | str],
    completed: _Sparse[int],
    removed: _Sparse[int],
) -> list[TodoEntry]:
    """Answer the states; raises an exception of some kind if the columns are none of any."""
    count = len(ids) // _ID_SIZE
    lengths, tag_counts, priorities = _parts(unpack(f"<{4 * count}L", sizes), 2, 1, 1)
    created, updated, revisions = _parts(unpack(f"<{3 * count}q", numbers), 1, 1, 1)
    check_texts(words)
    names = [sys.intern(word) for word in words]  # few tags on many entries
    all_tags = tuple(map(names.__getitem__, _numbers(tags)))
    if sum(lengths) != len(texts) or sum(tag_counts) != len(all_tags):
        raise ValueError("a column is not as long as its parts")
    if max(tag_counts) > TAGS_MOST or min(revisions) < 1:
        raise ValueError("an entry has too many tags, or no revision")
    text = list(map(bytes.decode, map(BytesIO(texts).read, lengths)))
    ends = list(accumulate(tag_counts, initial=0))
    created_at = to_moments(created)
    updated_at = [
        begin if time == begun else to_moment(time)
        for time, begun, begin in zip(updated, created, created_at)
    ]
    rows = zip(
        to_ids(list(map(int.from_bytes, map(BytesIO(ids).read, repeat(_ID_SIZE, count))))),
        text[:count],
        text[count:],
        [all_tags[start:end] for start, end in pairwise(ends)],
        [PRIORITIES[names[place]] for place in priorities],
        _filled(due, count, to_due),
        _moments(completed, updated, updated_at),
        _filled(removed, count, to_moment),
        created_at,
        updated_at,
        revisions,
        strict=True,
    )
    return list(map(TodoEntry.restore, rows))


def _sparse(column: Sequence[_Stored | None]) -> _Sparse[_Stored]:
    """Answer what there is in a column, and before that its places."""
    places = [place for place, value in enumerate(column) if value is not None]
    return _sizes(places), [value for value in column if value is not None]


def _filled(
    sparse: _Sparse[_Stored], count: int, read: Callable[[_Stored], _Value]
) -> list[_Value | None]:
    """Answer a column of so many values, most of them None."""
    places, values = sparse
    filled: list[_Value | None] = [None] * count
    for place, value in zip(_numbers(places), values, strict=True):
        filled[place] = read(value)
    return filled


def _moments(
    sparse: _Sparse[int], times: Sequence[int], moments: Sequence[datetime]
) -> list[datetime | None]:
    """Answer a column of moments, most of them None, with those of another if they are equal.

    What was completed and not changed since has one moment for both: of the entries that
    the benchmarks have, that is 1.4 MB of 100,000.
    """
    places, values = sparse
    filled: list[datetime | None] = [None] * len(times)
    for place, time in zip(_numbers(places), values, strict=True):
        filled[place] = moments[place] if times[place] == time else to_moment(time)
    return filled


def _sizes(numbers: Collection[int]) -> bytes:
    return pack(f"<{len(numbers)}L", *numbers)


def _numbers(sizes: bytes) -> tuple[int, ...]:
    return unpack(f"<{len(sizes) // 4}L", sizes)


def _parts(numbers: tuple[int, ...], *shares: int) -> Iterator[tuple[int, ...]]:
    """Answer parts of these shares in the whole."""
    count = len(numbers) // sum(shares)
    for start, end in pairwise(accumulate(shares, initial=0)):
        yield numbers[start * count : end * count]
