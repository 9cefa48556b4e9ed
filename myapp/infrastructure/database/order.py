"""An order of all entries, which takes in a change at the same cost however many they are."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Position, Sort, SortKey

_PIECE = 32
_MERGED = 500
_AT_ONCE = 2_000  # entries, which takes some milliseconds
_MOST_RUNS = 50

_Place = tuple[Any, int]  # a key and an id; the keys of one order are all of one type
_Placed = tuple[Any, int, TodoEntry]  # which is never compared, since no two ids are the same


class Order:
    """The ids of entries by key and id; those without a key apart, and last.

    It keeps ids alone, and asks for the key of an entry when it has to compare: with the
    keys it would take ten times the memory. So the states have to be the ones it was told
    of. What changes while it is prepared is taken in then.
    """

    def __init__(
        self, sort: Sort, entries: Sequence[TodoEntry], states: Mapping[int, TodoEntry]
    ) -> None:
        self._key = sort.key
        self._entries = entries
        self._states = states
        self._meanwhile: list[tuple[TodoEntry | None, TodoEntry | None]] = []
        self._prepared = False
        self._preparing: Iterator[None] = iter(())
        self._keyed = _Places(self._place)
        self._unkeyed = _Places(_unkeyed)

    def prepare(self) -> Iterator[None]:
        """Take the entries in; whoever goes through this may do other things in between."""
        while not self._prepared:
            for _ in self._preparing:  # which all share who need it
                yield
            if not self._prepared:  # not begun, or an error has ended it
                self._preparing = self._prepare()

    def change(self, before: TodoEntry | None, after: TodoEntry | None) -> None:
        """Take in what has become of an entry."""
        if not self._prepared:
            self._meanwhile.append((before, after))
            return
        old = None if before is None else self._locate(self._key(before), before.id.int)
        new = None if after is None else self._locate(self._key(after), after.id.int)
        if old == new:
            return
        if old is not None:
            places, place = old
            places.remove(place)
        if new is not None:
            places, place = new
            places.add(place)

    def walk(self, start: Position | None, *, descending: bool) -> Iterator[int]:
        """Answer the ids after a position, in the order or in its reverse."""
        for _ in self.prepare():
            pass
        parts, place = [self._keyed, self._unkeyed], None
        if start is not None:
            first, place = self._locate(start.key, start.id.int)
            parts = parts[parts.index(first) :]
        return chain.from_iterable(_runs(parts, place, descending=descending))

    def _prepare(self) -> Iterator[None]:
        at_once = max(_AT_ONCE, len(self._entries) // _MOST_RUNS)
        keyed: list[list[_Placed]] = []
        unkeyed: list[list[_Placed]] = []
        for start in range(0, len(self._entries), at_once):
            entries = self._entries[start : start + at_once]
            placed = [(self._key(entry), entry.id.int, entry) for entry in entries]
            keyed.append(sorted(place for place in placed if place[0] is not None))
            unkeyed.append(
                sorted((*_unkeyed(id), entry) for key, id, entry in placed if key is None)
            )
            yield
        for runs, part in ((keyed, self._keyed), (unkeyed, self._unkeyed)):
            pieces: list[list[int]] = []
            lasts: list[TodoEntry] = []
            for merged in _merged(runs):
                for piece in _cut(merged):
                    pieces.append([entry_id for _, entry_id, _ in piece])
                    lasts.append(piece[-1][2])
                yield
            # Bounds are made once all that was sorted is gone: some of it here and there would
            # keep the memory that the rest lay between, which is as much as an order of keys.
            runs.clear()
            part.begin(
                pieces, [self._locate(self._key(last), last.id.int)[1] for last in lasts]
            )
        self._prepared = True
        self._take_in_meanwhile()
        self._entries, self._meanwhile = [], []

    def _take_in_meanwhile(self) -> None:
        """Take in what has become of entries, those away first whose states are others now."""
        first: dict[int, TodoEntry | None] = {}
        last: dict[int, TodoEntry | None] = {}
        for before, after in self._meanwhile:
            entry = before or after
            if entry is not None:
                first.setdefault(entry.id.int, before)
                last[entry.id.int] = after
        for before in first.values():
            self.change(before, None)
        for after in last.values():
            self.change(None, after)

    def _place(self, entry_id: int) -> _Place:
        return self._key(self._states[entry_id]), entry_id

    def _locate(self, key: SortKey, entry_id: int) -> tuple["_Places", _Place]:
        """Answer where a place belongs, and the place."""
        if key is None:
            return self._unkeyed, _unkeyed(entry_id)
        return self._keyed, (key, entry_id)


class _Places:
    """Different places, sorted, in pieces: to insert into a list moves all that follows.

    In one list of a million that takes 0.4 ms. Each place is kept as an id, and asked for.
    """

    def __init__(self, place: Callable[[int], _Place]) -> None:
        self._place = place
        self._pieces: list[list[int]] = [[]]
        self._bounds: list[_Place] = []  # between pieces; each belongs to the one before it

    def begin(self, pieces: list[list[int]], lasts: list[_Place]) -> None:
        """Begin with pieces that are sorted, and follow each other, and the last of each."""
        self._pieces = pieces or [[]]
        self._bounds = lasts[:-1]

    def add(self, place: _Place) -> None:
        number, at = self._find(place)
        piece = self._pieces[number]
        piece.insert(at, place[1])
        if len(piece) >= 2 * _PIECE:
            self._pieces[number : number + 1] = [piece[:_PIECE], piece[_PIECE:]]
            self._bounds.insert(number, self._place(piece[_PIECE - 1]))

    def remove(self, place: _Place) -> None:
        number = bisect_left(self._bounds, place)
        self._pieces[number].remove(place[1])  # which asks for no state: it is another by now
        if not self._pieces[number] and self._bounds:
            del self._pieces[number]
            del self._bounds[min(number, len(self._bounds) - 1)]

    def after(self, place: _Place | None) -> Iterator[Iterator[int]]:
        """Answer the ids after a place, or all, in runs."""
        number, at = (0, 0) if place is None else self._find(place)
        piece = self._pieces[number]
        at += [self._place(entry_id) for entry_id in piece[at : at + 1]] == [place]
        yield map(piece.__getitem__, range(at, len(piece)))
        for number in range(number + 1, len(self._pieces)):
            yield iter(self._pieces[number])

    def before(self, place: _Place | None) -> Iterator[Iterator[int]]:
        """Answer the ids before a place, or all, in runs, the last first."""
        number, at = (len(self._bounds), None) if place is None else self._find(place)
        piece = self._pieces[number]
        yield map(piece.__getitem__, reversed(range(len(piece) if at is None else at)))
        for number in reversed(range(number)):
            yield reversed(self._pieces[number])

    def _find(self, place: _Place) -> tuple[int, int]:
        """Answer where a place is, or would be: in which piece, and where in it."""
        number = bisect_left(self._bounds, place)
        return number, bisect_left(self._pieces[number], place, key=self._place)


def _runs(
    parts: Sequence[_Places], place: _Place | None, *, descending: bool
) -> Iterator[Iterator[int]]:
    """Answer the ids in the parts, of the first one those after a place."""
    for part in parts:
        yield from part.before(place) if descending else part.after(place)
        place = None


def _merged(runs: Sequence[list[_Placed]]) -> Iterator[list[_Placed]]:
    """Answer pieces in which all places are in order, of runs that are in order each."""
    bounds = sorted(place for run in runs for place in run[_MERGED - 1 :: _MERGED])
    starts = [0] * len(runs)
    for bound in bounds:
        piece: list[_Placed] = []
        for number, run in enumerate(runs):
            end = bisect_right(run, bound, starts[number])
            piece += run[starts[number] : end]
            starts[number] = end
        piece.sort()
        yield piece
    yield sorted(place for run, start in zip(runs, starts) for place in run[start:])


def _cut(places: Sequence[_Placed]) -> Iterator[Sequence[_Placed]]:
    return (places[start : start + _PIECE] for start in range(0, len(places), _PIECE))


def _unkeyed(entry_id: int) -> _Place:
    return 0, entry_id
