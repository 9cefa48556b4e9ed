"""The metrics of the service, as Prometheus asks for them."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from platform import python_version
from time import monotonic

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.running_storage import RunningStorage
from myapp.infrastructure.metrics.families import (
    CUT_OFF,
    EVENT_STREAMS,
    REQUESTS_IN_FLIGHT,
    Counts,
    metrics_of,
    total,
)
from myapp.infrastructure.metrics.operation_metrics import OperationMetrics
from myapp.infrastructure.metrics.process import process_metrics
from myapp.infrastructure.metrics.request_metrics import RequestMetrics
from myapp.infrastructure.metrics.storage_figures import StorageFigures
from myapp.infrastructure.metrics.workers import Report, Reports, WorkerPlace
from myapp.infrastructure.watched_todo_entry_repository import WatchedTodoEntryRepository

_SHARE_EVERY = 1.0  # seconds

_OPENMETRICS = "application/openmetrics-text"


class Metrics:
    """What one process counts, told together with what its fellow workers do.

    Counting is but adding to lists: all that costs more is done when somebody asks.
    """

    def __init__(
        self,
        version: str,
        place: WorkerPlace | None = None,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._version = version
        self._clock = clock
        self._counts: Counts = {}
        self.requests = RequestMetrics(self._counts)
        self._reports = None if place is None else Reports(place, clock)
        self._storage: StorageFigures | None = None
        self._streams: Callable[[], int] = int

    def measured(self, repository: TodoEntryRepository) -> TodoEntryRepository:
        """Answer the repository, measured, and tell of it from now on."""
        self._storage = None  # a repository that is no storage has nothing else to tell
        if isinstance(repository, RunningStorage):
            self._storage = StorageFigures(repository, self._clock)
        return WatchedTodoEntryRepository(repository, OperationMetrics(self._counts).watch)

    def watch_streams(self, streams: Callable[[], int]) -> None:
        """Ask for the number of open event streams here from now on."""
        self._streams = streams

    def cut_off(self, limit: str) -> None:
        """Count a connection that was ended by a limit."""
        CUT_OFF.row(self._counts, limit)[0] += 1

    async def share_regularly(self) -> None:
        """Tell the other workers, if there may be any, until cancelled."""
        if self._reports is None:
            return
        try:
            while True:
                await self._reports.share(self._counted(), self._current())
                await asyncio.sleep(_SHARE_EVERY)
        finally:
            await self._reports.share(self._counted(), {}, last=True)

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Answer all metrics, and their media type: OpenMetrics where a client names that."""
        status = {} if self._storage is None else await self._storage.status()
        reports = await self._all_reports()
        parts = [part for report in reports for part in (report.counted, report.current)]
        counts = total([*parts, status])
        # The version that a client names is not looked at: the library stumbles over some.
        encode, media_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accept else "")

        def encoded() -> bytes:
            return encode(_Collected([*self._metrics(counts, reports)]))

        # It takes some milliseconds, for which requests need not wait.
        return await asyncio.to_thread(encoded), media_type

    async def _all_reports(self) -> Sequence[Report]:
        if self._reports is None:
            return [Report(0, self._counted(), self._current(), os.getpid())]
        own = await self._reports.share(self._counted(), self._current())
        return sorted([own, *await self._reports.others()], key=lambda report: report.number)

    def _counted(self) -> Counts:
        return self._counts if self._storage is None else self._counts | self._storage.counted()

    def _current(self) -> Counts:
        current = {} if self._storage is None else self._storage.current()
        streams = self._streams()
        EVENT_STREAMS.row(current)[0] = streams
        REQUESTS_IN_FLIGHT.row(current)[0] = self.requests.in_flight - streams
        return current

    def _metrics(self, counts: Counts, reports: Sequence[Report]) -> Iterator[Metric]:
        build = {"version": self._version, "python": python_version()}
        yield InfoMetricFamily("todo_build", "Which release this is.", build)
        yield from metrics_of(counts)
        yield from process_metrics(
            (report.process, {} if self._reports is None else {"worker": str(report.number)})
            for report in reports
            if report.process is not None
        )


@dataclass(frozen=True, slots=True)
class _Collected(Collector):
    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics
