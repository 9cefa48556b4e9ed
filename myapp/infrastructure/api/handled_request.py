"""What there is to tell about a request once it was answered."""

from contextvars import ContextVar
from typing import NamedTuple, Protocol


class HandledRequest(NamedTuple):
    """A request and its answer, without anything of their content.

    `route` is the template of the path, such as `/todo/{id}`; None if no route was
    found, and then `path` has the beginning of the path. `status` is 0 if nothing was
    answered. `sent` counts the bytes of the answer's body.
    """

    method: str
    route: str | None
    path: str | None
    entry_id: str | None
    status: int
    seconds: float
    sent: int
    request_id: str
    trace_id: str | None
    client: str | None


class RequestObserver(Protocol):
    """Is told of every request, twice."""

    def begin(self) -> None:
        """Learn that a request has come."""

    def end(self, request: HandledRequest) -> None:
        """Learn that it was answered, or given up."""


class RequestName(NamedTuple):
    """What a request is found by: in the log of this service, and across services."""

    request_id: str
    trace_id: str | None


current_request: ContextVar[RequestName | None] = ContextVar("current_request", default=None)
"""The request that is being handled, and that whatever happens meanwhile belongs to."""
