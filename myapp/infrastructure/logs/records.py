"""What the standard library's log records become, ours and those of all libraries."""

import traceback
from collections.abc import Iterator
from logging import Formatter, LogRecord

from structlog.processors import ExceptionRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from myapp.infrastructure.api.handled_request import current_request
from myapp.infrastructure.logs.forms import Form, timestamp

_SHOWN = 300


def formatter(form: Form) -> Formatter:
    """Answer what makes lines of this form of records."""

    def rendered(_logger: WrappedLogger, _level: str, event: EventDict) -> str:
        return form.event(event).removesuffix("\n")

    return ProcessorFormatter(
        foreign_pre_chain=[_described, ExceptionRenderer(without_content)],
        processors=[ProcessorFormatter.remove_processors_meta, rendered],
    )


def without_content(exc_info: ExcInfo) -> str:
    """Answer a traceback without what the program was working on.

    Of each message it has the beginning: the values of a statement, the row that was refused
    or the input that was invalid stand on later lines of what the libraries raise.
    """
    return "\n".join(_told(exc_info[1], set()))


def _described(_logger: WrappedLogger, level: str, event: EventDict) -> EventDict:
    record: LogRecord = event["_record"]
    if record.exc_info:  # asyncio adds lines that show the exception and whom it struck
        event["event"] = _beginning(event["event"])
    request = current_request.get()
    members = {
        "timestamp": timestamp(record.created),
        "level": level,
        "logger": record.name,
        **event,
        "process": record.process,
    }
    if request is not None:
        members["request_id"] = request.request_id
        if request.trace_id is not None:
            members["trace_id"] = request.trace_id
    return members


def _told(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _told(earlier, seen)
        yield "which led to:"
    for frame in traceback.format_tb(error.__traceback__):
        yield from frame.splitlines()
    yield _beginning(traceback.format_exception_only(error)[0])
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from (f"  {line}" for line in _told(part, seen))


def _beginning(message: str) -> str:
    """Answer the first line; KeyError shows line breaks as Python's source has them."""
    first = (message.splitlines() or [""])[0]
    return first.partition("\\n")[0][:_SHOWN]
