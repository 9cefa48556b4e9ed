"""The metrics: their names, what they mean, and how what was counted is told."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

Key = tuple[str, ...]
"""The name of a metric, and the values of its labels."""

Row = list[float]
"""One number or, of a histogram, those of all its buckets and the sum of what was observed."""

Counts = dict[Key, Row]

_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_TOGETHER = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric; the bounds are those of a histogram's buckets, each within its bucket."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    def row(self, counts: Counts, *labels: str) -> Row:
        """Answer what these labels have counted, from now on if there was nothing yet."""
        return counts.setdefault((self.name, *labels), [0.0] * self._columns())

    def observe(self, row: Row, value: float, times: int = 1) -> None:
        """Count a value among the others of a histogram."""
        row[bisect_left(self.bounds, value)] += times
        row[-1] += value * times

    def metric(self, counts: Counts) -> Metric:
        """Answer what was counted of this metric as Prometheus' library has it."""
        labels = self.labels
        found = [(key[1:], row) for key, row in counts.items() if key[0] == self.name]
        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.help, labels=labels)
            for values, row in found:
                histogram.add_metric(values, self._buckets(row), row[-1])
            return histogram
        family = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        metric = family(self.name, self.help, labels=labels)
        for values, row in found:
            metric.add_metric(values, row[0])
        return metric

    def _columns(self) -> int:
        return len(self.bounds) + 2 if self.bounds else 1

    def _buckets(self, row: Row) -> list[tuple[str, float]]:
        bounds = (*(str(float(bound)) for bound in self.bounds), "+Inf")
        return list(zip(bounds, accumulate(row[:-1]), strict=True))


REQUESTS = Family(
    "counter",
    "todo_http_requests_total",
    "Requests by the template of their path, `unmatched` if there is nothing at it.",
    ("route", "method", "status"),
)
REQUEST_SECONDS = Family(
    "histogram",
    "todo_http_request_duration_seconds",
    "How long it took until requests were answered in full; event streams last.",
    ("route", "method"),
    _SECONDS,
)
CUT_OFF = Family(
    "counter",
    "todo_connections_cut_off_total",
    "Connections that were ended by a limit, by the name of its setting.",
    ("limit",),
)
REQUESTS_IN_FLIGHT = Family(
    "gauge",
    "todo_http_requests_in_flight",
    "Requests being answered: this one among them, event streams apart.",
)
EVENT_STREAMS = Family("gauge", "todo_event_streams", "Event streams that are open.")
OPERATIONS = Family(
    "counter",
    "todo_storage_operations_total",
    "What the storage was asked, and whether it answered: ok, an error of the domain by its"
    " name, cancelled, or failed.",
    ("operation", "outcome"),
)
OPERATION_SECONDS = Family(
    "histogram",
    "todo_storage_operation_duration_seconds",
    "How long the storage took to answer.",
    ("operation",),
    _SECONDS,
)
COMMIT_SAVES = Family(
    "histogram",
    "todo_storage_commit_saves",
    "How many saves were made durable together.",
    bounds=_TOGETHER,
)
POOL_SIZE = Family(
    "gauge", "todo_storage_pool_connections_max", "Connections to the database, at most."
)
POOL_IN_USE = Family(
    "gauge", "todo_storage_pool_connections_in_use", "Connections to the database in use."
)
POOL_TIMEOUTS = Family(
    "counter",
    "todo_storage_pool_timeouts_total",
    "How often a free connection to the database was waited for in vain.",
)
STORAGE_UP = Family(
    "gauge", "todo_storage_up", "Whether the storage has answered, within a second."
)
ENTRIES = Family("gauge", "todo_entries", "Todo entries in the storage.")
REVISION = Family("gauge", "todo_revision", "The last revision that the store has given out.")
STORAGE_BYTES = Family("gauge", "todo_storage_bytes", "The size of the storage.")
DEAD_BYTES = Family(
    "gauge",
    "todo_storage_dead_bytes",
    "About how many bytes of the journal are of no use any more.",
)

FAMILIES = (
    REQUESTS,
    REQUEST_SECONDS,
    CUT_OFF,
    REQUESTS_IN_FLIGHT,
    EVENT_STREAMS,
    OPERATIONS,
    OPERATION_SECONDS,
    COMMIT_SAVES,
    POOL_SIZE,
    POOL_IN_USE,
    POOL_TIMEOUTS,
    STORAGE_UP,
    ENTRIES,
    REVISION,
    STORAGE_BYTES,
    DEAD_BYTES,
)


def total(parts: Iterable[Counts]) -> Counts:
    """Answer what was counted in all places together, as it is now."""
    sums: Counts = {}
    for part in parts:
        for key, row in part.items():
            known = sums.get(key, [0.0] * len(row))
            sums[key] = [one + other for one, other in zip(known, row, strict=True)]
    return sums


def metrics_of(counts: Counts) -> Iterator[Metric]:
    """Answer the metrics of which anything was counted."""
    return (metric for family in FAMILIES if (metric := family.metric(counts)).samples)
