"""What a power cut may leave on a disk, worked out from a record of what it was asked to do.

The model is as unkind as POSIX and the block devices allow. What was not synced may be there
block by block or not at all, in any order, cut at any byte at the end of the file, or as
zeros where the file has only grown. Names change in the order in which they were changed, but
nobody knows how far it got since the folder was last synced. What a failed sync was to keep
is in doubt from then on, whatever is synced later, until it is written again.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from random import Random

from myapp.infrastructure.database.disk import Disk

BLOCK = 512
"""Bytes that a disk writes as a whole or not at all."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder itself was made."""


@dataclass(frozen=True, slots=True)
class FolderKept:
    """The folder that the folder lies in was synced."""


@dataclass(frozen=True, slots=True)
class Created:
    """A name was given to a new file."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file was given another's name."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A name was taken away."""

    name: str


@dataclass(frozen=True, slots=True)
class NamesKept:
    """The folder was synced."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes were written to a file, though not synced."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file was truncated, though not synced."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A file was synced, or that failed."""

    file: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """Something was told or promised to a client; what it was, the test knows."""

    what: object


Event = (
    Folder | FolderKept | Created | Renamed | Removed | NamesKept | Wrote | Cut | Synced | Said
)
Image = dict[str, bytes] | None
"""The files of the folder by name, or None if there is no folder."""


class RecordingDisk(Disk):
    """Does what it is asked, except for the waiting, and records it.

    It can go on from the record of a process that was killed. The next write or sync fails
    if it is told to: a write after some of its bytes.
    """

    def __init__(self, folder: Path, before: Sequence[Event] = ()) -> None:
        self.events = list(before)
        self._folder = folder
        self._there = folder.exists()
        self._names = State(before).names
        self._files: dict[int, int] = {}
        self._failing_write: tuple[int, int] | None = None
        self._failing_sync = False

    def say(self, what: object) -> None:
        """Record what was told to a client."""
        self.events.append(Said(what))

    def fail_write(self, number: int, *, after: int) -> None:
        """Let the next write fail after so many bytes."""
        self._failing_write = number, after

    def fail_sync(self) -> None:
        """Let the next sync of a file fail."""
        self._failing_sync = True

    def create(self, path: Path) -> int:
        """See Disk."""
        self._look_round()
        descriptor = super().create(path)
        if path.name in self._names:
            file = self._names[path.name]
            self.events.append(Cut(file, 0))
        else:
            file = 1 + sum(isinstance(event, Created) for event in self.events)
            self._names[path.name] = file
            self.events.append(Created(path.name, file))
        self._files[descriptor] = file
        return descriptor

    def open(self, path: Path) -> int:
        """See Disk."""
        self._look_round()
        descriptor = super().open(path)
        self._files[descriptor] = self._names[path.name]
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """See Disk."""
        self._look_round()
        failing, self._failing_write = self._failing_write, None
        number, after = failing or (0, len(data))
        super().write(descriptor, data[:after], offset)
        self.events.append(Wrote(self._files[descriptor], offset, data[:after]))
        if failing:
            raise OSError(number, os.strerror(number))

    def truncate(self, descriptor: int, size: int) -> None:
        """See Disk."""
        self._look_round()
        super().truncate(descriptor, size)
        self.events.append(Cut(self._files[descriptor], size))

    def sync(self, descriptor: int) -> None:
        """See Disk."""
        self._look_round()
        failed, self._failing_sync = self._failing_sync, False
        self.events.append(Synced(self._files[descriptor], failed))
        if failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def replace(self, source: Path, target: Path) -> None:
        """See Disk."""
        self._look_round()
        super().replace(source, target)
        self._names[target.name] = self._names.pop(source.name)
        self.events.append(Renamed(source.name, target.name))

    def sync_folder(self, folder: Path) -> None:
        """See Disk."""
        self._look_round()
        if folder == self._folder:
            self.events.append(NamesKept())
        elif folder == self._folder.parent:
            self.events.append(FolderKept())

    def _look_round(self) -> None:
        """Record what is done to the folder behind the disk's back."""
        if not self._there and self._folder.exists():
            self._there = True
            self.events.append(Folder())
        for name in [name for name in self._names if not (self._folder / name).exists()]:
            del self._names[name]
            self.events.append(Removed(name))


class State:
    """What a disk and the system's cache hold after some events."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.names: dict[str, int] = {}
        self.made = self.made_kept = False
        self._names_kept: dict[str, int] = {}
        self._changes: list[Created | Renamed | Removed] = []
        self._files: dict[int, _File] = {}
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Go on by one event."""
        match event:
            case Folder():
                self.made = True
            case FolderKept():
                self.made_kept = self.made
            case Created() | Renamed() | Removed():
                self._changes.append(event)
                _change_names(self.names, event)
            case NamesKept():
                self._names_kept = dict(self.names)
                self._changes = []
            case Wrote(file, offset, data):
                self._file(file).write(offset, data)
            case Cut(file, size):
                self._file(file).cut(size)
            case Synced(file, failed):
                self._file(file).sync(failed)
            case Said():
                pass

    def cached(self) -> dict[str, bytes]:
        """Answer what a process that starts now would see: nothing lost but the process."""
        return {name: bytes(self._file(file).cache) for name, file in self.names.items()}

    def images(self, random: Random, most: int) -> Iterator[Image]:
        """Answer what a power cut may leave now: everything, or so many samples of much."""
        if self.made and not self.made_kept:
            yield None
        names = dict(self._names_kept)
        yield from self._images_under(names, random, most)
        for change in self._changes:
            _change_names(names, change)
            yield from self._images_under(names, random, most)

    def _images_under(
        self, names: dict[str, int], random: Random, most: int
    ) -> Iterator[dict[str, bytes]]:
        contents = [self._file(file).contents(random, most) for file in names.values()]
        if prod(map(len, contents)) <= most:
            chosen: Iterator[tuple[bytes, ...]] = product(*contents)
        else:
            chosen = (tuple(map(random.choice, contents)) for _ in range(most))
        for choice in chosen:
            yield dict(zip(names, choice, strict=True))

    def _file(self, file: int) -> "_File":
        return self._files.setdefault(file, _File())


@dataclass(slots=True)
class _File:
    """A file in the cache, and for each block on the disk what it may hold."""

    cache: bytearray = field(default_factory=bytearray)
    sizes: set[int] = field(default_factory=lambda: {0})
    blocks: dict[int, set[bytes]] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        self.sizes.update(range(len(self.cache), end + 1))
        self.cache.extend(bytes(max(0, end - len(self.cache))))
        self.cache[offset:end] = data
        self._touch(offset, end)

    def cut(self, size: int) -> None:
        before = len(self.cache)
        del self.cache[size:]
        self.sizes.add(size)
        self._touch(size, before)

    def sync(self, failed: bool) -> None:
        if not failed:
            self.sizes = {len(self.cache)}
            self.blocks = {
                number: {self._cached(number)} if number in self.dirty else versions
                for number, versions in self.blocks.items()
                if number * BLOCK < len(self.cache)
            }
        self.dirty.clear()

    def contents(self, random: Random, most: int) -> list[bytes]:
        """Answer what the file may hold after a power cut, or a sample of it."""
        numbers = range(-(-max(self.sizes) // BLOCK))
        versions = [sorted(self.blocks[number]) for number in numbers]
        if len(self.sizes) * prod(map(len, versions)) <= most:
            chosen: Iterator[tuple[tuple[bytes, ...], int]] = product(
                product(*versions), self.sizes
            )
        else:
            sizes = sorted(self.sizes)
            chosen = (
                (tuple(map(random.choice, versions)), _some_size(random, sizes))
                for _ in range(most)
            )
        return sorted({b"".join(blocks)[:size] for blocks, size in chosen})

    def _touch(self, begin: int, end: int) -> None:
        for number in range(begin // BLOCK, -(-end // BLOCK)):
            self.blocks.setdefault(number, {bytes(BLOCK)}).add(self._cached(number))
            self.dirty.add(number)

    def _cached(self, number: int) -> bytes:
        return bytes(self.cache[number * BLOCK : (number + 1) * BLOCK]).ljust(BLOCK, b"\0")


def _some_size(random: Random, sizes: Sequence[int]) -> int:
    """Answer one of the sizes, the extremes more often: most blocks matter there."""
    return random.choice((sizes[0], sizes[-1], sizes[-1], random.choice(sizes)))


def _change_names(names: dict[str, int], change: Created | Renamed | Removed) -> None:
    match change:
        case Created(name, file):
            names[name] = file
        case Renamed(source, target):
            names[target] = names.pop(source)
        case Removed(name):
            del names[name]
