"""What has to be found after a power cut, and looking for it in all that one may leave."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from uuid import UUID

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository
from tests.faults.recording_disk import Event, Image, Said, State
from tests.faults.short_ways import all_entries, check_history, todo
from tests.saving import save_all

Opening = Callable[[Path], AbstractAsyncContextManager[TodoEntryRepository]]
"""Opens the storage in a folder."""

_SEED = 20261121
_LATER = todo(10**6, "saved after the power cut")


@dataclass(frozen=True, slots=True)
class Sent:
    """Somebody asked for these entries to be stored together."""

    entries: Sequence[TodoEntry]


@dataclass(frozen=True, slots=True)
class Kept:
    """Somebody was told that these entries are stored."""

    entries: Sequence[TodoEntry]


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody read all entries, and the store's revision, while nothing was being stored."""

    entries: Mapping[UUID, TodoEntry]
    revision: int


class Promises:
    """What may be found after a crash, given what clients have been told before."""

    def __init__(self) -> None:
        self.revision = 0
        self._possible: dict[UUID, list[TodoEntry | None]] = {}
        self._saves: list[Sequence[TodoEntry]] = []

    def take(self, what: object) -> None:
        """Go on by something that was said."""
        match what:
            case Sent(entries):
                for entry in entries:
                    self._possible.setdefault(entry.id, [None]).append(_unnumbered(entry))
                self._saves.append(list(map(_unnumbered, entries)))
            case Kept(entries):
                for entry in entries:
                    self._possible[entry.id] = [entry]
                self.revision = max(self.revision, entries[-1].revision)
            case Shown(by_id, revision):
                self._possible = {entry_id: [entry] for entry_id, entry in by_id.items()}
                self.revision = max(self.revision, revision)

    def check(self, found: Mapping[UUID, TodoEntry]) -> None:
        """Assert that the entries found are among what may be found."""
        assert found.keys() <= self._possible.keys(), "an entry that was never sent"
        for entry_id, possible in self._possible.items():
            entry = found.get(entry_id)
            assert any(_is_state(entry, state) for state in possible), (entry, possible)
        for save in self._saves:
            states = [self._possible.get(entry.id, [None])[-1] for entry in save]
            if states == save:  # none of its entries was sent anew, or acknowledged, since
                there = {_is_state(found.get(entry.id), entry) for entry in save}
                assert len(there) == 1, "a save that is there in part"


async def check_every_moment(
    folder: Path,
    events: Sequence[Event],
    opened: Opening,
    *,
    begin: int = 0,
    most: int,
    share: float = 1,
) -> int:
    """Cut the power after each event and start again; answer how many images that made.

    Of what a cut may leave, `most` images are tried for each state of the names. With a
    `share` it is cut after so many of the events only, taken at random.
    """
    random = Random(_SEED)
    state, promises = State(events[:begin]), Promises()
    checked: set[tuple[tuple[str, bytes], ...] | None] = set()
    images = 0
    for event in events[:begin]:
        if isinstance(event, Said):
            promises.take(event.what)
    for number, event in enumerate(events[begin:], begin):
        state.take(event)
        if isinstance(event, Said):
            promises.take(event.what)
            checked.clear()
        if random.random() >= share:
            continue
        for image in state.images(random, most):
            key = None if image is None else tuple(sorted(image.items()))
            if key in checked:
                continue
            checked.add(key)
            images += 1
            put(folder, image)
            try:
                await check_start(folder, opened, promises)
            except BaseException as error:
                sizes = {name: len(content) for name, content in (image or {}).items()}
                error.add_note(f"power cut after {_story(events[: number + 1])} with {sizes}")
                raise
    return images


async def check_start(folder: Path, opened: Opening, promises: Promises) -> None:
    """Assert that a start finds what it has to, and that the storage works from then on."""
    async with opened(folder) as repository:
        found = await all_entries(repository)
        promises.check(found)
        await check_history(repository)
        (later,) = await save_all(repository, _LATER)
        assert later.revision > promises.revision
    async with opened(folder) as repository:
        assert await all_entries(repository) == found | {later.id: later}


def put(folder: Path, image: Image) -> None:
    """Make the folder such as the image has it."""
    shutil.rmtree(folder, ignore_errors=True)
    if image is not None:
        folder.mkdir()
        for name, content in image.items():
            (folder / name).write_bytes(content)


def _unnumbered(entry: TodoEntry) -> TodoEntry:
    return replace(entry, revision=0)


def _is_state(found: TodoEntry | None, state: TodoEntry | None) -> bool:
    if found is None or state is None or state.removed_at is not None:
        return found is None and (state is None or state.removed_at is not None)
    if state.revision == 0:
        return _unnumbered(found) == state
    return found == state


def _story(events: Sequence[Event]) -> str:
    """Answer the latest events in short, for whoever reads of a failure."""
    return "; ".join(f"{event!s:.60}" for event in events[-12:])
