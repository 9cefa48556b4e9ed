"""What is counted of requests."""

from myapp.infrastructure.api.handled_request import HandledRequest
from myapp.infrastructure.metrics.families import (
    REQUEST_SECONDS,
    REQUESTS,
    Counts,
    Row,
)

_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))


class RequestMetrics:
    """Counts requests by labels of which there are few, whatever clients send."""

    def __init__(self, counts: Counts) -> None:
        self.in_flight = 0
        self._counts = counts
        self._rows: dict[tuple[str | None, str, int], tuple[Row, Row]] = {}

    def begin(self) -> None:
        """Count a request that has come."""
        self.in_flight += 1

    def end(self, request: HandledRequest) -> None:
        """Count a request that was answered, or given up."""
        self.in_flight -= 1
        method = request.method if request.method in _METHODS else "other"
        key = request.route, method, request.status
        number, seconds = self._rows.get(key) or self._new_rows(*key)
        number[0] += 1
        REQUEST_SECONDS.observe(seconds, request.seconds)

    def _new_rows(self, route: str | None, method: str, status: int) -> tuple[Row, Row]:
        place = route or "unmatched"
        rows = (
            REQUESTS.row(self._counts, place, method, str(status)),
            REQUEST_SECONDS.row(self._counts, place, method),
        )
        self._rows[route, method, status] = rows
        return rows
