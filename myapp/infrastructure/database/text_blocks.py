"""What many entries say, joined into blocks that are searched as a whole."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain, count, islice, pairwise, repeat

from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.phrase_masks import PhraseMasks, pairs_in

_BLOCK = 256  # entries
_FEW_BLOCKS = 8
_END = b"\x01"  # of what one entry says

# No search may contain these either.
_PART = "\x00"
_TAG = "\x02"
_DONE = {False: "\x03", True: "\x04"}


def folded_text(entry: TodoEntry) -> str:
    """Answer content and notes, folded, parted by a character that no search may contain."""
    return f"{fold(entry.content)}{_PART}{fold(entry.notes)}"


@lru_cache(maxsize=4_096)  # few tags on many entries
def tag_mark(tag: str) -> str:
    """Answer what only entries say that carry the tag, or one that is folded to the same."""
    return f"{_TAG}{fold(tag)}{_TAG}"


def done_mark(done: bool) -> str:
    """Answer what only entries say that are done, or that are not."""
    return _DONE[done]


class TextBlocks:
    """Finds who says something 15 times faster than by asking one entry after the other.

    Of a phrase, whose words follow each other, hardly more than those that have it are asked.

    Storing an entry costs next to nothing: blocks are mended once something is searched.
    """

    def __init__(self, entries: Mapping[int, TodoEntry]) -> None:
        self._entries = entries
        self._new: Iterator[int] | None = None  # ids not taken in yet, once there are blocks
        self._blocks: list[_Block] = []
        self._block_of: dict[int, _Block] = {}
        self._unmended: set[_Block] = set()
        self._masks = PhraseMasks()

    def change(self, entry_id: int) -> None:
        """Take in that an entry is new, has changed or is no longer there."""
        if self._new is None:
            return
        if entry_id in self._entries:
            self._put(entry_id)
        elif entry_id in self._block_of:
            self._remove(entry_id)

    def prepare(self) -> Iterator[None]:
        """Make ready for a search; whoever goes through this may do other things between."""
        if self._new is None:
            self._new = iter(list(self._entries))
        while ids := list(islice(self._new, _BLOCK)):
            for entry_id in ids:
                self.change(entry_id)
            self._mend_one()
            yield
        while len(self._unmended) > _FEW_BLOCKS:
            self._mend_one()
            yield

    def find(self, text: str) -> Iterator[int]:
        """Answer the ids of the entries that say a text: a folded one, or a mark."""
        while self._unmended:
            self._mend_one()
        wanted = text.encode()
        if pairs := pairs_in(wanted):
            for number in self._masks.find(pairs):
                block, place = divmod(number, _BLOCK)
                if self._blocks[block].says(place, wanted):
                    yield self._blocks[block].ids[place]
        else:
            for each in self._blocks:
                yield from each.find(wanted)

    def _mend_one(self) -> None:
        self._mend(next(iter(self._unmended)))

    def _mend(self, block: "_Block") -> None:
        for place, before, after in block.mend(self._entries):
            self._masks.change(block.first + place, before, after)
        self._unmended.remove(block)

    def _put(self, entry_id: int) -> None:
        block = self._block_of.get(entry_id)
        if block is None:
            if not self._blocks or len(self._blocks[-1].ids) == _BLOCK:
                self._blocks.append(_Block(first=len(self._blocks) * _BLOCK))
            block = self._block_of[entry_id] = self._blocks[-1]
            block.ids.append(entry_id)
        self._change(block, entry_id)

    def _remove(self, entry_id: int) -> None:
        """Let the last one take the place of an entry."""
        last = self._blocks[-1]
        moved = last.ids.pop()
        self._unmended.add(last)
        block = self._block_of.pop(entry_id)
        if moved != entry_id:
            block.ids[block.ids.index(entry_id)] = moved
            self._block_of[moved] = block
            self._change(block, moved)
        if not last.ids:
            self._mend(self._blocks.pop())

    def _change(self, block: "_Block", entry_id: int) -> None:
        block.changed.add(entry_id)
        self._unmended.add(block)


class _Block:
    """What some entries say, in the order of their ids here, as UTF-8.

    There no character's bytes are part of another's, and one emoji does not make all other
    characters four bytes wide.
    """

    __slots__ = ("first", "ids", "changed", "said", "ends")

    def __init__(self, first: int) -> None:
        self.first = first  # of the numbers that these entries have among all
        self.ids: list[int] = []
        self.changed: set[int] = set()
        self.said = b""
        self.ends = array("L")  # where what each entry says ends

    def mend(self, entries: Mapping[int, TodoEntry]) -> Sequence[tuple[int, bytes, bytes]]:
        """Put in what has changed, and leave the rest as it is.

        Answers where that was, what was said there before, and what is said now.
        """
        before = [self.said[start:end] for start, end in pairwise([0, *self.ends])]
        before += [b""] * (len(self.ids) - len(before))
        said = [
            _said_by(entries[entry_id]) if entry_id in self.changed else old
            for entry_id, old in zip(self.ids, before, strict=False)
        ]
        self.said = b"".join(said)
        self.ends = array("L", accumulate(map(len, said)))
        self.changed.clear()
        places = zip(count(), before, chain(said, repeat(b"")), strict=False)
        return [change for change in places if change[1] != change[2]]

    def says(self, place: int, wanted: bytes) -> bool:
        """Whether the entry at a place says the wanted bytes."""
        begin = self.ends[place - 1] if place else 0
        return self.said.find(wanted, begin, self.ends[place]) >= 0

    def find(self, wanted: bytes) -> Iterator[int]:
        """Answer the ids of the entries that say the wanted bytes."""
        place = self.said.find(wanted)
        while place >= 0:
            number = bisect_right(self.ends, place)
            yield self.ids[number]
            place = self.said.find(wanted, self.ends[number])


def _said_by(entry: TodoEntry) -> bytes:
    tags = "".join(map(tag_mark, entry.tags))
    said = f"{folded_text(entry)}{_PART}{tags}{done_mark(entry.done)}"
    return said.encode().replace(_END, b"") + _END
