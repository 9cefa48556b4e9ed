"""Contenders with the same entries: every work, round after round, each of them in turn."""

from asyncio import IncompleteReadError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from time import strftime

from benchmarks.suite.contenders.contender import Contender, Unavailable, WrongAnswer
from benchmarks.suite.load import LoadFailed, write_requests
from benchmarks.suite.processes import Cores, ProcessFailed, Server, running
from benchmarks.suite.questions import Question, Questions, Work
from benchmarks.suite.results import Footprint, Latency, Rate, Results
from benchmarks.suite.runner import Runner, Seen
from myapp.domain.todo import TodoEntry

_IMPORTED = 100_000
_PACED = ("get", "first", "page", "create16")
_PACED_MOST = 4_000  # a second, from a client that is itself written in Python
_PACED_ROUNDS = 2
_FAILURES = (
    ProcessFailed,
    LoadFailed,
    WrongAnswer,
    OSError,  # connections that break, and answers that do not come
    IncompleteReadError,
)


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and for how long."""

    contenders: Mapping[int, Sequence[str]]
    """Their names, by the number of entries."""
    works: Sequence[Work]
    rounds: int
    seconds: int
    closely: bool
    """Whether latency at half load, memory, starts and imports are measured too."""


class Comparison:
    """Contenders that are compared; what one of them fails in is noted, the rest goes on."""

    def __init__(
        self,
        plan: Plan,
        contenders: Sequence[Contender],
        entries: Sequence[TodoEntry],
        cores: Cores,
        results: Results,
        keep: Callable[[Results], None],
    ) -> None:
        self._plan = plan
        self._contenders = contenders
        self._entries = entries
        self._cores = cores
        self._results = results
        self._keep = keep
        self._questions = Questions(entries)
        self._memory: dict[str, int] = {}  # before anything was changed

    def run(self) -> None:
        """Do all that is planned with these entries."""
        with ExitStack() as stack:
            runners = list(self._started(stack))
            for work in self._plan.works:
                if work.changes:
                    self._note_memory(runners)
                self._tell(work.title)
                self._results.rates += self._rates(work, runners)
                self._keep(self._results)
            self._note_memory(runners)
            if self._plan.closely:
                for runner in runners:
                    self._look_closely(runner)
                    self._keep(self._results)
        for contender in self._contenders:
            rmtree(contender.folder, ignore_errors=True)

    def _started(self, stack: ExitStack) -> Iterator[Runner]:
        for contender in self._contenders:
            if len(self._entries) <= contender.most_entries:
                self._tell(f"filling and starting {contender.name}")
                with self._noting(contender, "start"):
                    yield self._start(contender, stack)

    def _start(self, contender: Contender, stack: ExitStack) -> Runner:
        contender.folder.mkdir(parents=True)
        contender.prepare(self._entries)
        stored, imported = contender.stored(), 0.0
        ready = []
        if self._plan.closely:
            if len(self._entries) <= _IMPORTED:
                imported = contender.import_rate(self._entries)
            for _ in range(self._plan.rounds - 1):
                with self._running(contender) as server:
                    ready.append(server.seconds)
        server = stack.enter_context(self._running(contender))
        return Runner(contender, server, [*ready, server.seconds], stored, imported)

    def _running(self, contender: Contender) -> AbstractContextManager[Server]:
        used = [self._cores.first, self._cores.second][: contender.workers]
        return running(contender.launch, frozenset(used), contender.folder)

    def _rates(self, work: Work, runners: Sequence[Runner]) -> Iterator[Rate]:
        seen: dict[str, list[Seen]] = {runner.contender.name: [] for runner in runners}
        for number in range(self._plan.rounds + 1):
            drawn = self._questions.draw(work, number, work.most * self._plan.seconds)
            files: dict[str, Path] = {}
            for runner in runners:
                contender = runner.contender
                with self._noting(contender, work.title), runner.resting_afterwards():
                    file = files.get(contender.dialect) or _written(contender, drawn)
                    files[contender.dialect] = file
                    burst = runner.burst(work, drawn, file, self._plan.seconds)
                    if number:  # in the first one each makes what it makes on demand
                        seen[contender.name].append(burst)
        for name, bursts in seen.items():
            if bursts:
                rates, *others = map(list, zip(*bursts, strict=True))
                yield Rate(len(self._entries), work.name, name, rates, *map(median, others))

    def _note_memory(self, runners: Sequence[Runner]) -> None:
        """Note what each takes with as many entries as were stored, if it was not noted."""
        for runner in runners:
            with self._noting(runner.contender, "memory"):
                self._memory.setdefault(runner.contender.name, runner.server.memory())

    def _look_closely(self, runner: Runner) -> None:
        """Measure what a contender takes, and how soon it answers at half of its load."""
        contender, entries = runner.contender, len(self._entries)
        self._tell(f"looking closely at {contender.name}")
        seconds = self._plan.seconds * _PACED_ROUNDS
        for work in self._plan.works:
            rate = self._results.rate(entries, work.name, contender.name)
            if rate and work.name in _PACED:
                half = min(rate.median / 2, _PACED_MOST)
                drawn = self._questions.draw(work, -1, int(half * seconds) + 1)
                with self._noting(contender, f"{work.title}, at half load"):
                    burst = runner.pace(drawn, half, seconds)
                    latency = Latency(entries, work.name, contender.name, *burst)
                    self._results.latencies.append(latency)
        with self._noting(contender, "memory after all work"):
            footprint = Footprint(
                entries,
                contender.name,
                runner.ready,
                self._memory.get(contender.name, 0),
                runner.server.memory(),
                runner.stored,
                runner.imported,
            )
            self._results.footprints.append(footprint)

    @contextmanager
    def _noting(self, contender: Contender, what: str) -> Iterator[None]:
        """Note what a contender fails in, or why it is not there, and go on."""
        place = f"{len(self._entries):,} entries: {contender.name}"
        try:
            yield
        except Unavailable as reason:
            self._results.left_out.append(f"{place}: {reason}")
            print(f"{place}: left out: {reason}", flush=True)
        except _FAILURES as failure:
            told = f"{place}: {what}: {str(failure) or type(failure).__name__}"
            self._results.failures.append(told)
            print(told, flush=True)

    def _tell(self, text: str) -> None:
        print(f"{strftime('%H:%M:%S')}  {len(self._entries):,} entries: {text}", flush=True)


def _written(contender: Contender, questions: Sequence[Question]) -> Path:
    file = contender.folder / "requests"
    write_requests(map(contender.request, questions), file)
    return file
