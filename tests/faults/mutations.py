"""What may become of a file: bytes changed, lost, moved and made up, by a seeded chance."""

from collections.abc import Callable, Sequence
from random import Random
from struct import pack

_STEPS_AT_ONCE = (1, 1, 1, 2, 4)
_LONGEST = 64
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_BLOCKS = (b"\0", b"\xff", b"\n", b" ")


class Mutator:
    """Changes data in one to four places; `pieces` is what it likes to put there."""

    def __init__(self, random: Random, pieces: Sequence[bytes] = ()) -> None:
        self._random = random
        self._pieces = pieces

    def mutated(self, data: bytes) -> bytes:
        """Answer the data after some changes, which may, rarely, come to nothing."""
        for _ in range(self._random.choice(_STEPS_AT_ONCE)):
            data = self._random.choice(_STEPS)(self, data)
        return data

    def _flip(self, data: bytes) -> bytes:
        return self._put(data, lambda byte: byte ^ 1 << self._random.randrange(8))

    def _change(self, data: bytes) -> bytes:
        return self._put(data, lambda byte: self._random.randrange(256))

    def _step(self, data: bytes) -> bytes:
        return self._put(data, lambda byte: byte + self._random.choice((-1, 1)) & 0xFF)

    def _put(self, data: bytes, change: Callable[[int], int]) -> bytes:
        if not data:
            return data
        place = self._random.randrange(len(data))
        return data[:place] + bytes([change(data[place])]) + data[place + 1 :]

    def _cut_off(self, data: bytes) -> bytes:
        return data[: self._place(data)]

    def _leave_out(self, data: bytes) -> bytes:
        begin, end = self._range(data)
        return data[:begin] + data[end:]

    def _insert(self, data: bytes) -> bytes:
        return self._with(data, self._random.randbytes(self._random.randint(1, _LONGEST)))

    def _insert_a_piece(self, data: bytes) -> bytes:
        return self._with(data, self._random.choice(self._pieces or _BLOCKS))

    def _write_a_piece_over(self, data: bytes) -> bytes:
        return self._over(data, self._random.choice(self._pieces or _BLOCKS))

    def _write_a_number_over(self, data: bytes) -> bytes:
        size = self._random.choice(("<L", "<Q", "<B"))
        number = self._random.choice((*_EDGES, len(data), self._random.randrange(2**16)))
        return self._over(data, pack(size, number % 2 ** (8 * len(pack(size, 0)))))

    def _wipe(self, data: bytes) -> bytes:
        begin, end = self._range(data)
        return data[:begin] + self._random.choice(_BLOCKS) * (end - begin) + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        begin, end = self._range(data)
        return self._with(data, data[begin:end] * self._random.choice((1, 1, 1, 20)))

    def _swap(self, data: bytes) -> bytes:
        one, two, three, four = sorted(self._place(data) for _ in range(4))
        return data[:one] + data[three:four] + data[two:three] + data[one:two] + data[four:]

    def _with(self, data: bytes, more: bytes) -> bytes:
        place = self._place(data)
        return data[:place] + more + data[place:]

    def _over(self, data: bytes, other: bytes) -> bytes:
        place = self._place(data)
        return data[:place] + other + data[place + len(other) :]

    def _place(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _range(self, data: bytes) -> tuple[int, int]:
        begin, end = sorted((self._place(data), self._place(data)))
        return begin, min(end, begin + self._random.choice((4, _LONGEST, len(data))))


def rearranged(random: Random, parts: Sequence[bytes]) -> list[bytes]:
    """Answer parts of a file with one of them left out, repeated, or elsewhere."""
    answer = list(parts)
    part = answer.pop(random.randrange(len(answer)))
    for _ in range(random.randrange(3)):
        answer.insert(random.randint(0, len(answer)), part)
    return answer


_STEPS: Sequence[Callable[[Mutator, bytes], bytes]] = (
    Mutator._flip,
    Mutator._change,
    Mutator._step,
    Mutator._cut_off,
    Mutator._leave_out,
    Mutator._insert,
    Mutator._insert_a_piece,
    Mutator._write_a_piece_over,
    Mutator._write_a_number_over,
    Mutator._wipe,
    Mutator._repeat,
    Mutator._swap,
)
