"""What a process asked of its files, read from the log of strace."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.recording_disk import (
    Created,
    Cut,
    Event,
    Folder,
    FolderKept,
    NamesKept,
    Removed,
    Renamed,
    Said,
    Synced,
    Wrote,
)

CALLS = (
    "openat",
    "mkdir",
    "read",
    "pread64",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "flock",
    "close",
)
"""The system calls by which a storage uses its files."""

RECORD = ("-y", "-xx", "-s", "10000000", "-e", f"trace={','.join(CALLS)}")
"""What strace is to be told for its log to be read here."""

_IN_MEMORY = {"todos.db-shm"}  # what is written to it no call tells, and no start reads it
_WITH_PATHS = {"openat", "mkdir", "rename", "unlink"}
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_PATH_OF_DESCRIPTOR = re.compile(r"\d+<([^>]*)>(?!\(deleted\))")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that has returned. Of a descriptor that was given, `path` is the file's."""

    thread: int
    name: str
    arguments: Sequence[str]
    result: int

    @property
    def paths(self) -> Sequence[str]:
        """The paths that were given, or that of the descriptor."""
        if self.name in _WITH_PATHS:
            return [_text(text) for text in self.arguments if text.startswith('"')]
        found = _PATH_OF_DESCRIPTOR.match(self.arguments[0])
        return [_bytes(found[1]).decode()] if found else []

    @property
    def descriptor(self) -> int:
        """The descriptor that was given."""
        return int(self.arguments[0].partition("<")[0])

    @property
    def data(self) -> bytes:
        """What was written, or read."""
        return _bytes(self.arguments[1])[: max(0, self.result)]


def read_calls(log: Path, descriptor: int, said: Sequence[object]) -> Iterator[Call | Said]:
    """Answer the calls that have returned, in the order in which they did, and what was said.

    Each time that the process said something, it wrote to this descriptor.
    """
    saying = iter(said)
    for call in _calls(log):
        if call.name == "write" and call.descriptor == descriptor:
            yield Said(next(saying))
        else:
            yield call


def read_events(
    log: Path, descriptor: int, said: Sequence[object], folder: Path
) -> list[Event]:
    """Answer what happened to the files of a folder, and between that, what was said."""
    recorder = _Recorder(folder)
    for call in read_calls(log, descriptor, said):
        if isinstance(call, Said):
            recorder.events.append(call)
        elif call.result >= 0:
            recorder.take(call)
    return recorder.events


def _calls(log: Path) -> Iterator[Call]:
    begun: dict[str, str] = {}
    with log.open() as lines:
        for line in lines:
            if match := _BEGUN.match(line):
                begun[match[1]] = match[2]
            if match := _ENDED.match(line):
                line = f"{match[1]} {begun.pop(match[1])}{match[2]}"
            if match := _LINE.match(line):
                thread, name, arguments, result = match.groups()
                yield Call(int(thread), name, arguments.split(", "), int(result))


class _Recorder:
    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self._folder = folder
        self._files: dict[str, int] = {}
        self._numbers = 0

    def take(self, call: Call) -> None:
        """Record what a call did to the folder, if anything."""
        paths = [Path(path) for path in call.paths]
        if paths == [self._folder]:
            self._take_folder(call)
        elif paths == [self._folder.parent] and call.name in ("fsync", "fdatasync"):
            self.events.append(FolderKept())
        elif paths and paths[0].parent == self._folder and paths[0].name not in _IN_MEMORY:
            self._take_file(call, [path.name for path in paths])

    def _take_folder(self, call: Call) -> None:
        if call.name == "mkdir":
            self.events.append(Folder())
        elif call.name in ("fsync", "fdatasync"):
            self.events.append(NamesKept())

    def _take_file(self, call: Call, names: Sequence[str]) -> None:
        name = names[0]
        match call.name:
            case "openat":
                self._open(name, call.arguments[2])
            case "pwrite64":
                self.events.append(Wrote(self._files[name], int(call.arguments[3]), call.data))
            case "ftruncate":
                self.events.append(Cut(self._files[name], int(call.arguments[1])))
            case "fsync" | "fdatasync":
                self.events.append(Synced(self._files[name]))
            case "rename":
                self._files[names[1]] = self._files.pop(name)
                self.events.append(Renamed(name, names[1]))
            case "unlink":
                del self._files[name]
                self.events.append(Removed(name))
            case "write" | "mkdir":
                raise AssertionError(f"what {call} does is not modelled")

    def _open(self, name: str, flags: str) -> None:
        if name not in self._files:
            self._numbers += 1
            self._files[name] = self._numbers
            self.events.append(Created(name, self._numbers))
        elif "O_TRUNC" in flags:
            self.events.append(Cut(self._files[name], 0))


def _text(quoted: str) -> str:
    return _bytes(quoted).decode()


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.strip('"').replace(r"\x", ""))
