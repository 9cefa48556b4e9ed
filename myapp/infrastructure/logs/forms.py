"""The two forms of a line: JSON for machines, text for people.

A line about a request is put together by hand, since most lines are of this kind. Whatever a
client may have sent is escaped in both, so that no line looks like two, or like another.
"""

from collections.abc import Iterator
from functools import lru_cache
from json import JSONEncoder
from time import gmtime, strftime
from typing import Protocol

from structlog.typing import EventDict

from myapp.infrastructure.api.handled_request import HandledRequest

_UNNAMED = ("event", "process")

_encode = JSONEncoder(separators=(",", ":")).encode  # escapes everything beyond ASCII


class Form(Protocol):
    """How lines look, each with its line feed."""

    def event(self, event: EventDict) -> str:
        """Answer the line about something that happened."""

    def request(self, request: HandledRequest, *, now: float, process: int) -> str:
        """Answer the line about a request."""


class Json:
    """An object a line; what there is not is left out."""

    def event(self, event: EventDict) -> str:
        return _without_delete(_encode(event)) + "\n"

    def request(self, request: HandledRequest, *, now: float, process: int) -> str:
        method, route, path, entry_id, status, seconds, sent, name, trace_id, client = request
        place = f'"path":{_encode(path)}' if route is None else f'"route":{_encode(route)}'
        entry = f',"entry_id":{_encode(entry_id)}' if entry_id else ""
        trace = f',"trace_id":{_encode(trace_id)}' if trace_id else ""
        line = (
            f'{{"timestamp":"{timestamp(now)}","level":"info","logger":"access",'
            f'"event":"request","process":{process},"method":{_encode(method)},{place}{entry},'
            f'"status":{status},"duration_ms":{seconds * 1000:.2f},"bytes":{sent},'
            f'"client":{_encode(client)},"request_id":{_encode(name)}{trace}}}\n'
        )
        return _without_delete(line)


class Text:
    """A line to be read, and indented ones below it for an exception; names no process."""

    def event(self, event: EventDict) -> str:
        members = dict(event)
        exception: str = members.pop("exception", "")
        begin = _begin(*(members.pop(name) for name in ("timestamp", "level", "logger")))
        rest = "".join(
            f" {name}={value}" for name, value in members.items() if name not in _UNNAMED
        )
        return begin + visible(f"{event['event']}{rest}") + "\n" + "".join(_indented(exception))

    def request(self, request: HandledRequest, *, now: float, process: int) -> str:
        method, route, path, entry_id, status, seconds, sent, name, trace_id, client = request
        entry = f" entry_id={entry_id}" if entry_id else ""
        trace = f" trace_id={trace_id}" if trace_id else ""
        told = (
            f"{method} {route or path} {status} {seconds * 1000:.2f} ms {sent} bytes{entry}"
            f" client={client} request_id={name}{trace}"
        )
        return _begin(timestamp(now), "info", "access") + visible(told) + "\n"


def timestamp(seconds: float) -> str:
    """Answer a time in UTC, to the millisecond (RFC 3339)."""
    second, millisecond = divmod(int(seconds * 1000), 1000)
    return f"{_second(second)}.{millisecond:03}Z"


def visible(text: str) -> str:
    """Answer the text in printable characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _without_delete(line: str) -> str:
    """Answer JSON with the one control character escaped that it may have as it is."""
    return line.replace("\x7f", "\\u007f")


def _begin(moment: str, level: str, logger: str) -> str:
    return f"{moment} {level.upper()} {logger}: "


def _indented(exception: str) -> Iterator[str]:
    for line in exception.splitlines():
        yield f"    {visible(line)}\n"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
