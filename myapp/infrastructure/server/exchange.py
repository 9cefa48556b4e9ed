"""A request and its answer, on a connection."""

from typing import Any

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from myapp.infrastructure.api.problems import Rejection


class Exchange(RequestResponseCycle):
    """Uvicorn's, whose request may be refused while the application waits for its body.

    It leaves it to the connection to close itself after the last answer: `is_last`.
    """

    is_last = False
    _rejection: Rejection | None = None

    def refuse(self, rejection: Rejection) -> None:
        """Let the application answer this, if it wants more of the body, and nothing after."""
        self._rejection = rejection
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """Answer what comes next; raises Rejection."""
        if self._rejection is None:
            message = await super().receive()
        if self._rejection is None:
            return message
        if self.response_started or self.disconnected:
            return {"type": "http.disconnect"}
        raise self._rejection

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application answers."""
        if not self.response_started:
            # A client that was not told to send its body may send it yet, or not.
            self.keep_alive = self.keep_alive and not self.waiting_for_100_continue
        elif not _has_more(message):
            self.is_last, self.keep_alive = not self.keep_alive, True
        await super().send(message)


def _has_more(message: Any) -> bool:  # one of many kinds of typed dictionaries
    return bool(message.get("more_body", False))
