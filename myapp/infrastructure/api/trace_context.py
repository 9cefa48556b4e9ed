"""Which trace a request is part of (https://www.w3.org/TR/trace-context/)."""

import re
from collections.abc import Mapping

from opentelemetry.trace import format_trace_id, get_current_span

_TRACEPARENT = re.compile(
    rb"(?:(00)|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    rb"(?(1)|(?:-.*)?)"
)


def received_trace_id(headers: Mapping[bytes, bytes]) -> str | None:
    """Answer the trace that the client names; None if it names none, or none that is valid."""
    traceparent = headers.get(b"traceparent")
    if traceparent is None or not (match := _TRACEPARENT.fullmatch(traceparent)):
        return None
    return match[2].decode("ascii")


def recorded_trace_id(_headers: Mapping[bytes, bytes]) -> str | None:
    """Answer the trace that what happens now is recorded in: the client's, or a new one."""
    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None
