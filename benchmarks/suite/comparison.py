"""Contenders and their entries: every work, round after round, each of them in turn."""

from asyncio import IncompleteReadError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import strftime

from benchmarks.suite.contenders.contender import Contender, Unavailable, WrongAnswer
from benchmarks.suite.load import LoadFailed, write_requests
from benchmarks.suite.processes import Cores, ProcessFailed, Server, running
from benchmarks.suite.questions import Question, Questions, Work
from benchmarks.suite.results import Footprint, Latency, Rate, Results
from benchmarks.suite.runner import Entrant, Runner, Seen

_IMPORTED = 100_000
_READ_AT_ONCE = 2**20
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
        self, plan: Plan, cores: Cores, results: Results, keep: Callable[[Results], None]
    ) -> None:
        self._plan = plan
        self._cores = cores
        self._results = results
        self._keep = keep
        self._memory: dict[Contender, int] = {}  # before anything was changed

    def run(self, entrants: Sequence[Entrant]) -> None:
        """Do all that is planned with these."""
        with ExitStack() as stack:
            runners = list(self._started(entrants, stack))
            for work in self._plan.works:
                if work.changes:
                    self._note_memory(runners)
                _tell(work.title)
                self._results.rates += self._rates(work, runners)
                self._keep(self._results)
            self._note_memory(runners)
            if self._plan.closely:
                for runner in runners:
                    self._look_closely(runner)
                    self._keep(self._results)

    def _started(self, entrants: Sequence[Entrant], stack: ExitStack) -> Iterator[Runner]:
        for entrant in entrants:
            if entrant.size <= entrant.contender.most_entries:
                _tell(f"filling and starting {entrant}")
                with self._noting(entrant, "start"):
                    yield self._start(entrant, stack)

    def _start(self, entrant: Entrant, stack: ExitStack) -> Runner:
        contender, entries = entrant.contender, entrant.questions.entries
        contender.folder.mkdir(parents=True)
        contender.prepare(entries)
        stored, imported = contender.stored(), 0.0
        ready = []
        if self._plan.closely:
            if len(entries) <= _IMPORTED:
                imported = contender.import_rate(entries)
            for _ in range(self._plan.rounds - 1):
                with self._running(contender) as server:
                    ready.append(server.seconds)
        server = stack.enter_context(self._running(contender))
        return Runner(entrant, server, [*ready, server.seconds], stored, imported)

    def _running(self, contender: Contender) -> AbstractContextManager[Server]:
        used = [self._cores.first, self._cores.second][: contender.workers]
        return running(contender.launch, frozenset(used), contender.folder)

    def _rates(self, work: Work, runners: Sequence[Runner]) -> Iterator[Rate]:
        seen: list[list[Seen]] = [[] for _ in runners]
        for number in range(self._plan.rounds + 1):
            _read_files(runners)
            drawn = {
                questions: questions.draw(work, number, work.most * self._plan.seconds)
                for questions in {runner.entrant.questions for runner in runners}
            }
            files: dict[tuple[Questions, str], Path] = {}
            for runner, bursts in zip(runners, seen, strict=True):
                contender, questions = runner.entrant
                with self._noting(runner.entrant, work.title), runner.resting_afterwards():
                    asked, way = drawn[questions], (questions, contender.dialect)
                    file = files[way] = files.get(way) or _written(contender, asked)
                    burst = runner.burst(work, asked, file, self._plan.seconds)
                    if number:  # in the first one each makes what it makes on demand
                        bursts.append(burst)
        for runner, bursts in zip(runners, seen, strict=True):
            if bursts:
                rates, *others = map(list, zip(*bursts, strict=True))
                entrant, name = runner.entrant, runner.contender.name
                yield Rate(entrant.size, work.name, name, rates, *map(median, others))

    def _note_memory(self, runners: Sequence[Runner]) -> None:
        """Note what each takes with as many entries as were stored, if it was not noted."""
        for runner in runners:
            with self._noting(runner.entrant, "memory"):
                self._memory.setdefault(runner.contender, runner.server.memory())

    def _look_closely(self, runner: Runner) -> None:
        """Measure what a contender takes, and how soon it answers at half of its load."""
        entrant, name, entries = runner.entrant, runner.contender.name, runner.entrant.size
        _tell(f"looking closely at {entrant}")
        seconds = self._plan.seconds * _PACED_ROUNDS
        for work in self._plan.works:
            rate = self._results.rate(entries, work.name, name)
            if rate and work.name in _PACED:
                half = min(rate.median / 2, _PACED_MOST)
                drawn = entrant.questions.draw(work, -1, int(half * seconds) + 1)
                with self._noting(entrant, f"{work.title}, at half load"):
                    burst = runner.pace(drawn, half, seconds)
                    latency = Latency(entries, work.name, name, *burst)
                    self._results.latencies.append(latency)
        with self._noting(entrant, "memory after all work"):
            footprint = Footprint(
                entries,
                name,
                runner.ready,
                self._memory.get(runner.contender, 0),
                runner.server.memory(),
                runner.stored,
                runner.imported,
            )
            self._results.footprints.append(footprint)

    @contextmanager
    def _noting(self, entrant: Entrant, what: str) -> Iterator[None]:
        """Note what an entrant fails in, or why it is not there, and go on."""
        try:
            yield
        except Unavailable as reason:
            self._results.left_out.append(f"{entrant}: {reason}")
            print(f"{entrant}: left out: {reason}", flush=True)
        except _FAILURES as failure:
            told = f"{entrant}: {what}: {str(failure) or type(failure).__name__}"
            self._results.failures.append(told)
            print(told, flush=True)


def _written(contender: Contender, questions: Sequence[Question]) -> Path:
    file = contender.folder / "requests"
    write_requests(map(contender.request, questions), file)
    return file


def _read_files(runners: Sequence[Runner]) -> None:
    """Have all files in memory, which some systems page out while others have their turn.

    Of 1.4 GB two fifths were left after seven minutes, with 20 GB free, and a page from
    SQLite, read from the disk in part, cost three times as much.
    """
    for file in {file for runner in runners for file in runner.contender.files()}:
        with suppress(OSError), open(file, "rb") as opened:  # it may be gone by now
            while opened.read(_READ_AT_ONCE):
                pass


def _tell(text: str) -> None:
    print(f"{strftime('%H:%M:%S')}  {text}", flush=True)
