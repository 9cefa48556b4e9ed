"""What proves that two places hold the same entries."""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from myapp.domain.todo import TodoEntry
from myapp.infrastructure.transfer.entry_lines import encode


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The number of entries, and the SHA-256, in hexadecimal, of their lines in order."""

    entries: int
    digest: str

    def __str__(self) -> str:
        return f"{self.entries:,} entries with digest {self.digest}"


class Fingerprinter:
    """Takes the fingerprint of entries that go by."""

    def __init__(self, encode: Callable[[TodoEntry], bytes] = encode) -> None:
        self._encode = encode
        self._count = 0
        self._hash = hashlib.sha256()

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of all entries up to now."""
        return Fingerprint(self._count, self._hash.hexdigest())

    def add(self, entry: TodoEntry) -> None:
        """Take the next entry into account."""
        self.add_line(self._encode(entry))

    def add_line(self, line: bytes) -> None:
        """Take the next entry into account, by its line."""
        self._count += 1
        self._hash.update(line)
        self._hash.update(b"\n")

    async def watch(
        self, batches: AsyncIterable[Sequence[TodoEntry]]
    ) -> AsyncIterator[Sequence[TodoEntry]]:
        """Answer the same batches, each taken into account."""
        async for batch in batches:
            for entry in batch:
                self.add(entry)
            yield batch
