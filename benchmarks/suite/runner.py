"""A contender that runs: asked, checked, and watched while it works."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import uvloop

from benchmarks.suite import load
from benchmarks.suite.contenders.contender import Contender
from benchmarks.suite.processes import Server, worked
from benchmarks.suite.questions import Question, Questions, Work

_CHECKED = 3


class Seen(NamedTuple):
    """What a burst of questions was answered with, in the units of a Rate."""

    rate: float
    p50: float
    p99: float
    worked: float
    helped: float


class Entrant(NamedTuple):
    """A contender, and what it is asked about the entries that it is to have."""

    contender: Contender
    questions: Questions

    @property
    def size(self) -> int:
        """How many entries those are."""
        return len(self.questions.entries)

    def __str__(self) -> str:
        return f"{self.size:,} entries: {self.contender.name}"


@dataclass(frozen=True)
class Runner:
    """An entrant and its server, and what was seen before.

    `ready` has the seconds of each start until it was ready; `stored` is in bytes, and
    `imported` in entries a second.
    """

    entrant: Entrant
    server: Server
    ready: list[float]
    stored: int
    imported: float

    @property
    def contender(self) -> Contender:
        """The contender that runs."""
        return self.entrant.contender

    @contextmanager
    def resting_afterwards(self) -> Iterator[None]:
        """See to it that it does nothing any more when others have their turn."""
        try:
            yield
        finally:
            self.server.rest()

    def burst(
        self, work: Work, questions: Sequence[Question], requests: Path, seconds: int
    ) -> Seen:
        """Ask for so long as fast as it answers, with a file of requests.

        Before that some questions are asked one by one, and the answers checked. If these
        take so long that hardly any more would be answered, their time is what counts: one
        core that is kept busy does no more if it is asked for more at once. Raises
        WrongAnswer and LoadFailed.
        """
        before = self._worked()
        taken = median(self._check(questions[:_CHECKED]))
        burst, answered = load.Burst(1 / taken, taken * 1e3, taken * 1e3), _CHECKED
        if taken < seconds / 4:
            begin = self._worked()
            told = load.burst(self.server.port, requests, work.clients, seconds)
            if told.rate:
                before, burst, answered = begin, told, round(told.rate * seconds)
        after = self._worked()
        own, helpers = ((b - a) / answered * 1e6 for a, b in zip(before, after, strict=True))
        return Seen(*burst, own, helpers)

    def pace(self, questions: Sequence[Question], rate: float, seconds: float) -> load.Burst:
        """Ask so often, on a schedule, from as many connections as that takes."""
        sent = [self.contender.request(question) for question in questions]
        return uvloop.run(load.paced(self.server.port, sent, rate, seconds))

    def _check(self, questions: Sequence[Question]) -> Sequence[float]:
        """Answer after how many seconds each was answered; raises WrongAnswer."""
        sent = [self.contender.request(question) for question in questions]
        answered = asyncio.run(load.answers(self.server.port, sent))
        for question, (answer, _) in zip(questions, answered, strict=True):
            self.contender.check(question, answer)
        return [seconds for _, seconds in answered]

    def _worked(self) -> tuple[float, float]:
        return worked(self.server.pid), sum(map(worked, self.contender.helpers()))
