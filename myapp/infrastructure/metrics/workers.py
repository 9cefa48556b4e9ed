"""What the workers of one service tell each other: a file of each, in a folder of theirs."""

import json
import os
from asyncio import Lock, to_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypedDict

from myapp.infrastructure.metrics.families import Counts, Key, Row, total

_CURRENT = 5.0
"""Seconds for which a worker is taken to be as it has told."""


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """The number of a worker, among those that share a folder.

    The folder is made anew for each run of the service, and for nothing else. Who takes the
    place of a worker that has died gets its number.
    """

    folder: Path
    number: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker, and those in its place before, have counted; and what is now.

    Of one that is no more, or does not answer, there is no process and nothing now.
    """

    number: int
    counted: Counts
    current: Counts
    process: int | None


class Reports:
    """The reports of all workers: what was counted outlives who has counted it."""

    def __init__(self, place: WorkerPlace, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._folder = place.folder
        self._number = place.number
        self._sharing = Lock()
        former = self._read(place.number)
        self._inherited = former.counted if former else {}

    async def share(self, counted: Counts, current: Counts, *, last: bool = False) -> Report:
        """Tell the others of this worker, and answer what they are told.

        They believe it for some seconds, or, if it is the last report, only what was counted.
        """
        everything = total([self._inherited, counted])
        report = Report(self._number, everything, current, os.getpid())
        text = _to_json(report, -inf if last else self._clock())
        async with self._sharing:  # in the order of the calls: no number may go back
            with suppress(OSError):  # a full disk keeps nobody from working
                await to_thread(self._write, text)
        return report

    async def others(self) -> Sequence[Report]:
        """Answer what the other workers have told."""
        return await to_thread(self._read_others)

    def _write(self, text: str) -> None:
        file = NamedTemporaryFile("w", dir=self._folder, suffix=".new", delete=False)
        new = Path(file.name)
        try:
            with file:
                file.write(text)
            new.replace(self._path(self._number))
        except OSError:  # and a second later there would be another one
            new.unlink()
            raise

    def _read_others(self) -> Sequence[Report]:
        numbers = {int(path.stem) for path in self._folder.glob("*.json")} - {self._number}
        reports = map(self._read, numbers)
        return [report for report in reports if report is not None]

    def _read(self, number: int) -> Report | None:
        try:
            text = self._path(number).read_text()
        except OSError:  # it has told nothing yet, or the service ends
            return None
        return _from_json(number, text, self._clock() - _CURRENT)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"


class _Json(TypedDict):
    at: float
    process: int | None
    counted: list[tuple[Key, Row]]
    current: list[tuple[Key, Row]]


def _to_json(report: Report, at: float) -> str:
    told: _Json = {
        "at": at,
        "process": report.process,
        "counted": [*report.counted.items()],
        "current": [*report.current.items()],
    }
    return json.dumps(told)


def _from_json(number: int, text: str, current_since: float) -> Report:
    told: _Json = json.loads(text)
    counted = {tuple(key): row for key, row in told["counted"]}
    if told["at"] < current_since:
        return Report(number, counted, {}, None)
    current = {tuple(key): row for key, row in told["current"]}
    return Report(number, counted, current, told["process"])
