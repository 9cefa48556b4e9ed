"""What there is to tell about a request once it was answered."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledRequest:
    """A request and its answer, without anything of their content.

    `route` is the template of the path, such as `/todo/{entry_id}`; None if no route was
    found. `status` is 0 if nothing was answered. `sent` counts the bytes of the answer's body.
    """

    method: str
    path: str
    route: str | None
    status: int
    seconds: float
    sent: int
    request_id: str
    client: str | None


class RequestObserver(Protocol):
    """Is told of every request, twice."""

    def begin(self) -> None:
        """Learn that a request has come."""

    def end(self, request: HandledRequest) -> None:
        """Learn that it was answered, or given up."""
