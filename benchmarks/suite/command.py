"""The command line: what is to be measured, and where it is written."""

import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from typing import Annotated

from typer import BadParameter, Exit, Option

from benchmarks.suite.comparison import Plan
from benchmarks.suite.contenders.catalogue import CEILING, CONTENDERS
from benchmarks.suite.document import filled
from benchmarks.suite.load import LoadFailed
from benchmarks.suite.measuring import measure
from benchmarks.suite.plots import draw
from benchmarks.suite.processes import TooFewCores
from benchmarks.suite.questions import WORKS
from benchmarks.suite.report import table
from benchmarks.suite.results import Results, load_results
from benchmarks.suite.targets import USUAL

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / "docs"
_DOCUMENT = "performance.md"
_ARTIFACTS = _ROOT / "artifacts" / "benchmarks"

_WORKS = {work.name: work for work in WORKS}
_VARIANTS = ("sqlite-silent", "postgresql-silent", "postgresql-workers")
_FULL, _QUICK = "1000,100000,1000000", "10000"


def compare(
    quick: Annotated[bool, Option(help="Less of all, in less than ten minutes.")] = False,
    only: Annotated[str, Option(help=f"Kinds of work, of {','.join(_WORKS)}.")] = "",
    contenders: Annotated[
        str, Option(help=f"Of {','.join(CONTENDERS)}; there are no ratios without {CEILING}.")
    ] = "",
    entries: Annotated[str, Option(help=f"By default {_FULL}, or {_QUICK}.")] = "",
    rounds: Annotated[int | None, Option(min=1, help="That count: by default 5, or 1.")] = None,
    seconds: Annotated[int, Option(min=1, help="Of a round.")] = 1,
    into: Annotated[
        Path | None,
        Option(help="A folder: by default docs if nothing was left out, or artifacts."),
    ] = None,
    read: Annotated[
        list[Path] | None,
        Option(help="Measure nothing, but write what was measured with other entries."),
    ] = None,
) -> None:
    """Compare this service with others: each is asked the same, in turn.

    Names and numbers are separated by commas. Two cores are needed, and wrk, which makes the
    load. What was measured is printed, and written with plots into performance.md.
    """
    signal(SIGTERM, default_int_handler)  # so that servers are stopped then, too
    sizes = [int(number) for number in (entries or (_QUICK if quick else _FULL)).split(",")]
    plan = Plan(
        contenders={size: _chosen(contenders, CONTENDERS) or _usual(size) for size in sizes},
        works=[_WORKS[name] for name in _chosen(only, _WORKS) or _WORKS],
        rounds=rounds or (1 if quick else 5),
        seconds=seconds,
        closely=not only,
    )
    is_full = not (quick or only or contenders or entries)
    folder = into or (_DOCS if is_full else _ARTIFACTS)
    file = folder / "performance" / "results.json"
    try:
        results = _read(read) if read else measure(plan, partial(Results.save, file=file))
    except (LoadFailed, TooFewCores) as error:
        sys.exit(str(error))
    _write(results, folder)
    print(table(results))
    raise Exit(1 if results.failures else 0)


def _chosen(text: str, known: Collection[str]) -> Sequence[str]:
    """Answer the names in a text; raises BadParameter."""
    names = text.split(",") if text else []
    if unknown := [name for name in names if name not in known]:
        raise BadParameter(f"{', '.join(unknown)}: of {', '.join(known)}")
    return names


def _usual(entries: int) -> Sequence[str]:
    """Answer all contenders, if the number of entries is the usual one, or the most telling."""
    return [name for name in CONTENDERS if entries == USUAL or name not in _VARIANTS]


def _read(files: Sequence[Path]) -> Results:
    """Answer the results of files as if they were of one run."""
    first, *others = map(load_results, files)
    for other in others:
        first.add(other)
    return first


def _write(results: Results, folder: Path) -> None:
    results.save(folder / "performance" / "results.json")
    draw(results, folder / "performance")
    text = (_DOCS / _DOCUMENT).read_text("utf-8")
    (folder / _DOCUMENT).write_text(filled(text, results), "utf-8")
