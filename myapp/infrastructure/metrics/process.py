"""What the system tells of processes."""

from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector


def process_metrics(processes: Iterable[tuple[int, Mapping[str, str]]]) -> Iterable[Metric]:
    """Answer the standard metrics of processes, each under its labels.

    There are such on Linux; a process that has ended meanwhile is left out.
    """
    metrics: dict[str, Metric] = {}
    for process, labels in processes:
        for metric in _metrics_of(process):
            samples = [sample._replace(labels=dict(labels)) for sample in metric.samples]
            metric.samples = []
            metrics.setdefault(metric.name, metric).samples.extend(samples)
    return metrics.values()


def _metrics_of(process: int) -> Iterable[Metric]:
    return ProcessCollector(registry=None, pid=lambda: process).collect()
