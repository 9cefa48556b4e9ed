"""What many entries say, joined into blocks that are searched as a whole."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import accumulate, islice

from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.phrase_masks import PhraseMasks, pairs_in

_BLOCK = 256  # entries
_STEP = 65_536  # bytes that are mended at a time, in some 4 milliseconds
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
        """Make ready for a search; whoever goes through this may do other things between.

        What changes meanwhile is left to the search: it would never end otherwise.
        """
        if self._new is None:
            self._new = iter(list(self._entries))
        while ids := list(islice(self._new, _BLOCK)):
            for entry_id in ids:
                self.change(entry_id)
            yield from self._mend_all()
        yield from self._mend_all()

    def find(self, text: str) -> Iterator[int]:
        """Answer the ids of the entries that say a text: a folded one, or a mark."""
        for _ in self._mend_all():
            pass
        wanted = text.encode()
        if pairs := pairs_in(wanted):
            for number in self._masks.find(pairs):
                block, place = divmod(number, _BLOCK)
                if self._blocks[block].says(place, wanted):
                    yield self._blocks[block].ids[place]
        else:
            for each in self._blocks:
                yield from each.find(wanted)

    def _mend_all(self) -> Iterator[None]:
        for block in [*self._unmended]:
            yield from self._mend(block)

    def _mend(self, block: "_Block") -> Iterator[None]:
        """Put in what has changed; texts may be so long that one block of them takes long."""
        mended = 0
        while block.changed:
            place = next(iter(block.changed))
            before, after = block.text(place), self._said_at(block, place)
            # Should there be no memory for one of these, it is done again as a whole.
            block.mended[place] = before
            self._masks.change(block.first + place, before, after)
            block.mended[place] = after
            block.changed.remove(place)
            mended += len(before) + len(after)
            if mended > _STEP:
                mended = 0
                yield
        block.join()
        self._unmended.discard(block)
        yield

    def _said_at(self, block: "_Block", place: int) -> bytes:
        return _said_by(self._entries[block.ids[place]]) if place < len(block.ids) else b""

    def _put(self, entry_id: int) -> None:
        block = self._block_of.get(entry_id)
        if block is None:
            block, place = self._block_at(len(self._block_of))
            block.ids.append(entry_id)
            self._block_of[entry_id] = block
        else:
            place = block.ids.index(entry_id)
        self._change(block, place)

    def _remove(self, entry_id: int) -> None:
        """Let the last one take the place of an entry."""
        last, place = self._block_at(len(self._block_of) - 1)
        moved = last.ids.pop()
        self._change(last, place)
        block = self._block_of.pop(entry_id)
        if moved != entry_id:
            place = block.ids.index(entry_id)
            block.ids[place] = moved
            self._block_of[moved] = block
            self._change(block, place)

    def _block_at(self, number: int) -> tuple["_Block", int]:
        """Answer where the entry of a number is, or will be if it is the next one."""
        index, place = divmod(number, _BLOCK)
        if index == len(self._blocks):
            self._blocks.append(_Block(first=number))
        return self._blocks[index], place

    def _change(self, block: "_Block", place: int) -> None:
        block.changed.add(place)
        self._unmended.add(block)


class _Block:
    """What some entries say, in the order of their ids here, as UTF-8.

    There no character's bytes are part of another's, and one emoji does not make all other
    characters four bytes wide.
    """

    __slots__ = ("first", "ids", "changed", "mended", "said", "ends")

    def __init__(self, first: int) -> None:
        self.first = first  # of the numbers that these entries have among all
        self.ids: list[int] = []
        self.changed: set[int] = set()  # places
        self.mended: dict[int, bytes] = {}  # what is said at places, and not joined yet
        self.said = b""
        self.ends = array("I")  # where what each entry says ends

    def text(self, place: int) -> bytes:
        """Answer what is said at a place, as it was when that was mended last."""
        if (mended := self.mended.get(place)) is not None:
            return mended
        if place >= len(self.ends):
            return b""
        return self.said[self.ends[place - 1] if place else 0 : self.ends[place]]

    def join(self) -> None:
        """Let searches find what was mended."""
        texts = [*map(self.text, range(len(self.ids)))]
        said, ends = b"".join(texts), array("I", accumulate(map(len, texts)))
        self.said, self.ends = said, ends
        self.mended.clear()
        self.changed.clear()  # or as much memory as for all places would be kept

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
