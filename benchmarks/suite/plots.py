"""Plots of what was measured, as SVG: the same bytes for the same results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.suite.contenders.catalogue import CEILING, CONTENDERS
from benchmarks.suite.questions import WORKS, Work
from benchmarks.suite.results import Footprint, Results
from benchmarks.suite.targets import USUAL

_COLOURS = {
    "pickle": "C0",
    "sqlite": "C2",
    "postgresql": "C4",
    "pocketbase": "C1",
    "pocketbase-skiptotal": "C6",
    "json-server": "C3",
    "naive": "C5",
    "fastapi": "C7",
}
_GROWING = ("get", "page", "rare", "create16", "patch", "mixed")
_COLUMNS = 2
_WIDTH = 9.0


def draw(results: Results, folder: Path) -> None:
    """Write all plots into a folder."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "", "svg.fonttype": "none", "font.size": 8})
    folder.mkdir(parents=True, exist_ok=True)
    plots: Mapping[str, Callable[[Results], Figure]] = {
        "ratios": _ratios,
        "growth": _growth,
        "latency": _latency,
        "footprints": _footprints,
    }
    for name, plot in plots.items():
        figure = plot(results)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _ratios(results: Results) -> Figure:
    """How close each contender comes to the ceiling."""
    entries = _usual(results)
    figure, panels = _panels(len(WORKS), height=2.2)
    for panel, work in zip(panels, WORKS, strict=True):
        _bars(panel, _ratios_of(results, entries, work))
        panel.set(xscale="log", xlim=(1e-5, 5), title=f"{work.title}, of the ceiling")
        panel.minorticks_off()
    figure.suptitle(f"{entries:,} entries")
    return figure


def _growth(results: Results) -> Figure:
    """What more entries cost each contender."""
    figure, panels = _panels(len(_GROWING), height=2.6)
    works = [work for work in WORKS if work.name in _GROWING]
    for panel, work in zip(panels, works, strict=True):
        for name in _COLOURS:
            rates = {
                entries: rate.median
                for entries in results.sizes
                if (rate := results.rate(entries, work.name, name))
            }
            _line(panel, name, rates)
        _by_entries(panel, f"{work.title}, a second")
    _explain(figure, panels[0])
    return figure


def _latency(results: Results) -> Figure:
    """How soon each contender answers at half of its load."""
    entries = _usual(results)
    measured = {latency.work for latency in results.latencies}
    works = [work for work in WORKS if work.name in measured]
    figure, panels = _panels(max(1, len(works)), height=2.2)
    for panel, work in zip(panels, works, strict=False):
        found = {
            name: latency
            for name in reversed([*CONTENDERS])
            if (latency := results.latency(entries, work.name, name))
        }
        titles = [CONTENDERS[name].title for name in found]
        panel.plot([it.p50 for it in found.values()], titles, "o", label="median")
        panel.plot([it.p99 for it in found.values()], titles, "|", label="99 %")
        panel.set(xscale="log", title=f"{work.title}, at half load, ms")
        panel.tick_params(axis="y", labelsize=6)
        _tell_plainly(panel.xaxis)
    figure.suptitle(f"{entries:,} entries")
    _explain(figure, panels[0])
    return figure


def _footprints(results: Results) -> Figure:
    """What the entries take of each contender."""
    figures: Mapping[str, Callable[[Footprint], float]] = {
        "ready after, s": lambda taken: taken.seconds,
        "memory, MB": lambda taken: taken.memory / 1e6,
        "on the disk, bytes per entry": lambda taken: taken.stored / taken.entries,
    }
    figure, panels = _panels(len(figures), height=2.6)
    for panel, (title, told) in zip(panels, figures.items(), strict=True):
        for name in _COLOURS:
            values = {
                entries: told(taken)
                for entries in results.sizes
                if (taken := results.footprint(entries, name)) and told(taken)
            }
            _line(panel, name, values)
        _by_entries(panel, title)
    _explain(figure, panels[0])
    return figure


def _usual(results: Results) -> int:
    """Answer the number of entries that is usual, or the next that was measured."""
    return min(results.sizes, key=lambda entries: abs(entries - USUAL), default=USUAL)


def _panels(count: int, *, height: float) -> tuple[Figure, Sequence[Axes]]:
    """Answer a figure with so many panels."""
    rows = -(-count // _COLUMNS)
    figure = pyplot.figure(figsize=(_WIDTH, rows * height), layout="constrained")
    return figure, [figure.add_subplot(rows, _COLUMNS, number + 1) for number in range(count)]


def _ratios_of(results: Results, entries: int, work: Work) -> Mapping[str, float]:
    """Answer what each contender reaches, the last one first, as bars are drawn."""
    return {
        name: ratio
        for name in reversed([*CONTENDERS])
        if name != CEILING and (ratio := results.ratio(entries, work.name, name, CEILING))
    }


def _bars(panel: Axes, values: Mapping[str, float]) -> None:
    titles = [CONTENDERS[name].title for name in values]
    bars = panel.barh(titles, [*values.values()], color=[_colour(name) for name in values])
    panel.bar_label(bars, fmt="%.3g", padding=2, fontsize=6)
    panel.tick_params(axis="y", labelsize=6)


def _line(panel: Axes, name: str, values: Mapping[int, float]) -> None:
    title, colour = CONTENDERS[name].title, _COLOURS[name]
    if values:
        panel.plot([*values], [*values.values()], marker=".", color=colour, label=title)


def _by_entries(panel: Axes, title: str) -> None:
    panel.set(xscale="log", yscale="log", title=title)
    panel.set_xlabel("entries")
    panel.xaxis.set_minor_locator(NullLocator())
    _tell_plainly(panel.yaxis)


def _tell_plainly(axis: Axis) -> None:
    """Have some more numbers than powers of ten, and no powers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_locator(NullLocator())


def _explain(figure: Figure, panel: Axes) -> None:
    """Say what the colours of a panel, and of all like it, stand for."""
    handles, titles = panel.get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=4, fontsize=7)


def _colour(name: str) -> str | tuple[str, float]:
    """Answer a contender's colour: a paler one for one that differs in a setting."""
    return _COLOURS.get(name) or (_COLOURS[name.partition("-")[0]], 0.5)
