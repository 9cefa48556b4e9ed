"""What was to be reached, beside what was measured."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.suite.contenders.catalogue import CEILING, CONTENDERS, POCKETBASES
from benchmarks.suite.questions import WORKS
from benchmarks.suite.results import Footprint, Results

SMALL, USUAL, LARGE = 1_000, 100_000, 1_000_000


class Target(NamedTuple):
    """A figure that is to be reached, or not to be exceeded if that is told."""

    title: str
    figure: float
    measured: Callable[[Results], float | None]
    at_most: bool = False

    def reached(self, results: Results) -> bool | None:
        """Answer whether it was reached, or None if that was not measured."""
        measured = self.measured(results)
        if measured is None:
            return None
        return measured <= self.figure if self.at_most else measured >= self.figure


_PAGE = {
    "pickle-silent": 0.30,
    "pickle": 0.24,
    "sqlite-silent": 0.10,
    "postgresql-silent": 0.07,
}
_OF_THE_CEILING = {
    "get": {
        "pickle-silent": 0.40,
        "pickle": 0.30,
        "sqlite-silent": 0.18,
        "postgresql-silent": 0.10,
    },
    "first": _PAGE,
    "page": _PAGE,
    "rare": {"pickle-silent": 0.010, "sqlite-silent": 0.04, "postgresql-silent": 0.03},
    "create16": {"pickle-silent": 0.18, "sqlite-silent": 0.10, "postgresql-silent": 0.06},
}
_TIMES_POCKETBASE = {"get": 2.0, "first": 6.0, "page": 6.0, "rare": 24.0, "create16": 1.8}
_STEADY = ("get", "first", "page", "create16", "patch")
_STORAGES = ("pickle", "sqlite", "postgresql")
_TITLES = {work.name: work.title for work in WORKS}


def targets() -> Iterator[Target]:
    """Answer all of them."""
    for work, wanted in _OF_THE_CEILING.items():
        for contender, figure in wanted.items():
            yield _of_the_ceiling(work, contender, figure)
        for contender in ("pickle-silent", "pickle"):
            yield _times_pocketbase(work, contender, _TIMES_POCKETBASE[work])
    for work in _STEADY:
        for contender in _STORAGES:
            yield _growth(work, contender, 1.3)
    for contender in ("sqlite", "postgresql"):
        yield _growth("rare", contender, 3.0)
    yield _ready(USUAL, 1.5)
    yield _ready(LARGE, 5.0)
    yield _memory(USUAL, "pickle", 200, lambda taken: taken.memory)
    yield _memory(LARGE, "sqlite", 130, lambda taken: taken.grown)
    yield _memory(LARGE, "postgresql", 130, lambda taken: taken.grown)


def growth(results: Results, work: str, contender: str) -> float | None:
    """Answer how many times what it costs with few entries it costs with many.

    In a run that has both they were asked in turn.
    """
    few = results.rate(SMALL, work, contender)
    many = results.rate(LARGE, work, contender)
    return few.median / many.median if few and many else None


def _of_the_ceiling(work: str, contender: str, figure: float) -> Target:
    return Target(
        f"{_TITLES[work]}, of the ceiling: {CONTENDERS[contender].title}",
        figure,
        lambda results: results.ratio(USUAL, work, contender, CEILING),
    )


def _times_pocketbase(work: str, contender: str, figure: float) -> Target:
    def measured(results: Results) -> float | None:
        ratios = [results.ratio(USUAL, work, contender, name) for name in POCKETBASES]
        return min((ratio for ratio in ratios if ratio), default=None)

    name = CONTENDERS[contender].title
    return Target(f"{_TITLES[work]}, times PocketBase at its best: {name}", figure, measured)


def _growth(work: str, contender: str, figure: float) -> Target:
    return Target(
        f"{_TITLES[work]}, cost at {LARGE:,} entries by that at {SMALL:,}:"
        f" {CONTENDERS[contender].title}",
        figure,
        lambda results: growth(results, work, contender),
        at_most=True,
    )


def _ready(entries: int, figure: float) -> Target:
    def measured(results: Results) -> float | None:
        footprint = results.footprint(entries, "pickle")
        return footprint.seconds if footprint else None

    title = f"seconds until ready with {entries:,} entries: pickle"
    return Target(title, figure, measured, at_most=True)


def _memory(
    entries: int, contender: str, figure: float, of: Callable[[Footprint], int]
) -> Target:
    def measured(results: Results) -> float | None:
        footprint = results.footprint(entries, contender)
        return of(footprint) / 1e6 if footprint else None

    title = f"MB of memory with {entries:,} entries: {CONTENDERS[contender].title}"
    return Target(title, figure, measured, at_most=True)
