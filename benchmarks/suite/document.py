"""docs/performance.md: its text is written by hand, and what is measured by this program.

Each part that is measured stands between two comments, which name it:

    <!-- ratios -->
    …
    <!-- end of ratios -->
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchmarks.suite.contenders.catalogue import CEILING, CONTENDERS
from benchmarks.suite.questions import WORKS
from benchmarks.suite.results import Rate, Results
from benchmarks.suite.targets import growth, targets

_PART = re.compile(r"<!-- (?P<name>[a-z]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)
_NOTHING = "–"
_HALF_LOADED = ("get", "first", "page", "create16")
_GROWING = ("get", "first", "page", "rare", "common", "filtered", "create16", "patch")


def filled(document: str, results: Results) -> str:
    """Answer the document with every part that is measured made anew.

    Raises KeyError for a part that nobody knows.
    """

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        content = "\n".join(PARTS[name](results))
        return f"<!-- {name} -->\n\n{content}\n\n<!-- end of {name} -->"

    return _PART.sub(part, document)


def _machine(results: Results) -> Iterator[str]:
    machine = results.machine
    yield (
        f"Measured on {machine.begun:%Y-%m-%d} with {machine.cores} cores of"
        f" {machine.processor}, {machine.memory:.0f} GB of memory, {machine.system},"
        f" Python {machine.python}."
    )
    yield "Versions: " + ", ".join(f"{k} {v}" for k, v in machine.versions.items()) + "."


def _targets(results: Results) -> Iterator[str]:
    rows = []
    for target in targets():
        measured, reached = target.measured(results), target.reached(results)
        bound = "at most" if target.at_most else "at least"
        verdict = {True: "reached", False: "**missed**", None: "not measured"}[reached]
        rows.append(
            [target.title, f"{bound} {_figure(target.figure)}", _figure(measured), verdict]
        )
    yield from _table(["", "target", "measured", ""], rows)


def _ratios(results: Results) -> Iterator[str]:
    def told(entries: int, work: str, contender: str) -> str:
        return _figure(results.ratio(entries, work, contender, CEILING))

    yield from _by_size(results, told)


def _rates(results: Results) -> Iterator[str]:
    def told(entries: int, work: str, contender: str) -> str:
        rate = results.rate(entries, work, contender)
        return _about(rate) if rate else _NOTHING

    yield from _by_size(results, told)


def _about(rate: Rate) -> str:
    """Answer the median, and how far the rounds lie apart, or which were the outermost."""
    if rate.spread <= 2:
        return f"{_figure(rate.median)} ±{rate.spread / 2:.0%}"
    least, most = _figure(min(rate.rounds)), _figure(max(rate.rounds))
    return f"{_figure(rate.median)} ({least} to {most})"


def _latency(results: Results) -> Iterator[str]:
    for entries in results.sizes:
        rows = []
        for name, described in CONTENDERS.items():
            found = [results.latency(entries, work, name) for work in _HALF_LOADED]
            if any(found):
                told = [
                    f"{it.p50:.2f} / {it.p99:.2f} ({it.rate:,.0f}/s)" if it else _NOTHING
                    for it in found
                ]
                rows.append([described.title, *told])
        yield from _titled(entries, ["", *_HALF_LOADED], rows)


def _footprints(results: Results) -> Iterator[str]:
    heading = [
        "",
        "ready after, s",
        "memory after reads, MB",
        "after all work, MB",
        "bytes on disk per entry",
        "imported a second",
    ]
    for entries in results.sizes:
        rows = [
            [
                CONTENDERS[taken.contender].title,
                f"{taken.seconds:.2f}",
                f"{taken.memory / 1e6:.0f}" if taken.memory else _NOTHING,
                f"{taken.grown / 1e6:.0f}",
                f"{taken.stored / entries:,.0f}" if taken.stored else _NOTHING,
                f"{taken.imported:,.0f}" if taken.imported else _NOTHING,
            ]
            for taken in results.footprints
            if taken.entries == entries
        ]
        yield from _titled(entries, heading, rows)


def _growth(results: Results) -> Iterator[str]:
    rows = []
    for name, described in CONTENDERS.items():
        found = [growth(results, work, name) for work in _GROWING]
        if name != CEILING and any(found):
            rows.append([described.title, *map(_figure, found)])
    yield from _table(["", *_GROWING], rows)


def _postgresql(results: Results) -> Iterator[str]:
    heading = ["", "in the service, µs", "in PostgreSQL, µs", "rate of 2 workers by that of 1"]
    for entries in results.sizes:
        rows = []
        for work in WORKS:
            rate = results.rate(entries, work.name, "postgresql")
            gain = results.ratio(entries, work.name, "postgresql-workers", "postgresql")
            if rate:
                worked = [f"{rate.worked:,.0f}", f"{rate.helped:,.0f}"]
                rows.append([work.title, *worked, _figure(gain)])
        yield from _titled(entries, heading, rows)


def _notes(results: Results) -> Iterator[str]:
    if not (results.left_out or results.failures):
        yield "Nothing."
    for reason in results.left_out:
        yield f"- {reason.splitlines()[0]} (left out)"
    for failure in results.failures:
        yield f"- {failure.splitlines()[0]}"


PARTS: Mapping[str, Callable[[Results], Iterator[str]]] = {
    "machine": _machine,
    "targets": _targets,
    "ratios": _ratios,
    "rates": _rates,
    "latency": _latency,
    "footprints": _footprints,
    "growth": _growth,
    "postgresql": _postgresql,
    "notes": _notes,
}
"""Makes each part that is measured, line by line."""


def _by_size(results: Results, told: Callable[[int, str, str], str]) -> Iterator[str]:
    """Answer a table for each number of entries: a line for each contender that took part."""
    for entries in results.sizes:
        works = [work for work in WORKS if results.rate(entries, work.name, CEILING)]
        rows = [
            [described.title, *(told(entries, work.name, name) for work in works)]
            for name, described in CONTENDERS.items()
            if any(results.rate(entries, work.name, name) for work in works)
        ]
        yield from _titled(entries, ["", *(work.name for work in works)], rows)


def _titled(
    entries: int, heading: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    if rows:
        yield f"With {entries:,} entries:\n"
        yield from _table(heading, rows)
        yield ""


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield "|---" * len(heading) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _figure(value: float | None) -> str:
    """Answer a number with three figures that count, or that there is none."""
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
