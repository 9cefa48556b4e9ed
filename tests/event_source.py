"""Server-sent events as a browser reads them (WHATWG HTML, section 9.2.6)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Event(NamedTuple):
    """What a stream tells: without data it is no event to a browser, and yet moves its id."""

    id: str
    type: str = ""
    data: str = ""

    @property
    def revision(self) -> int:
        """The id, which is a revision."""
        return int(self.id)


class EventReader:
    """Makes events of bytes as they come; what is not complete is no event."""

    def __init__(self) -> None:
        self.last_event_id = ""
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Answer the events that are complete with these bytes."""
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            yield self._event(block.decode("utf-8").split("\n"))

    def _event(self, lines: Iterable[str]) -> Event:
        type_, data = "", ""
        for line in lines:
            assert "\r" not in line, "a browser would take that for the end of a line"
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "id":
                    self.last_event_id = value
                case "event":
                    type_ = value
                case "data":
                    data += f"{value}\n"
        return Event(self.last_event_id, type_, data.removesuffix("\n"))
