"""Results as a table for a terminal."""

from collections.abc import Iterator, Sequence

from benchmarks.suite.contenders.catalogue import CEILING
from benchmarks.suite.results import Footprint, Latency, Rate, Results

_HEADING = (
    f"{'entries':>9}  {'work':9} {'contender':20} {'a second':>9} {'spread':>6} {'ceiling':>8}"
    f" {'p50 ms':>8} {'p99 ms':>8} {'cpu us':>9} {'half load: p50, p99 ms':>24}"
)
_FOOTPRINTS = (
    f"{'entries':>9}  {'contender':20} {'ready s':>8} {'memory MB':>10} {'grown MB':>10}"
    f" {'bytes/entry':>12} {'imported/s':>11}"
)


def table(results: Results) -> str:
    """Answer all that was measured, and what went wrong."""
    noted = [*_noted("Left out", results.left_out), *_noted("Failed", results.failures)]
    return "\n".join([_HEADING, *_rates(results), *_footprints(results), *noted])


def _rates(results: Results) -> Iterator[str]:
    for rate in sorted(results.rates, key=_entries):
        ratio = results.ratio(rate.entries, rate.work, rate.contender, CEILING)
        latency = results.latency(rate.entries, rate.work, rate.contender)
        yield _line(rate, ratio) + _half(latency)


def _line(rate: Rate, ratio: float | None) -> str:
    told = "-" if ratio is None else f"{ratio:.4f}"
    return (
        f"{rate.entries:9,}  {rate.work:9} {rate.contender:20} {rate.median:9,.1f}"
        f" {rate.spread:6.0%} {told:>8} {rate.p50:8.2f} {rate.p99:8.2f} {rate.worked:9.1f}"
    )


def _half(latency: Latency | None) -> str:
    return f" {latency.p50:12.2f} {latency.p99:11.2f}" if latency else ""


def _footprints(results: Results) -> Iterator[str]:
    if results.footprints:
        yield ""
        yield _FOOTPRINTS
    for taken in sorted(results.footprints, key=_entries):
        imported = f"{taken.imported:,.0f}" if taken.imported else "-"
        yield (
            f"{taken.entries:9,}  {taken.contender:20} {taken.seconds:8.2f}"
            f" {taken.memory / 1e6:10.1f} {taken.grown / 1e6:10.1f}"
            f" {taken.stored / taken.entries:12.0f} {imported:>11}"
        )


def _entries(measured: Rate | Footprint) -> int:
    return measured.entries


def _noted(title: str, notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield f"\n{title}:"
    yield from notes
