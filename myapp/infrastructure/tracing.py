"""Spans for OpenTelemetry, which is installed and set up by whoever wants them.

OTEL_* variables say where spans go and how many; they are OpenTelemetry's own, and it reads
them itself: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from opentelemetry import trace

from myapp.domain.errors import TodoError
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.watched_todo_entry_repository import WatchedTodoEntryRepository

T = TypeVar("T")

_CONTENT = ("url.path", "url.query")
"""Attributes that may hold a tag, or what was searched for."""

_PATIENCE = 5.0
"""Seconds that the last spans may take, should nobody want to have them."""


class TracingNotInstalled(Exception):
    """Tracing is wished, and what it takes is not installed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """What makes spans, and sends them from a thread of its own."""

    provider: trace.TracerProvider
    _shut_down: Callable[[], None]
    _give_up: Callable[[], None]

    def traced(self, repository: TodoEntryRepository) -> TodoEntryRepository:
        """Answer the repository; what it is asked for a request is a span of that."""
        return WatchedTodoEntryRepository(repository, _Spans(self.provider).watch)

    async def close(self) -> None:
        """Send what waits, and no more from then on."""
        timer = asyncio.get_running_loop().call_later(_PATIENCE, self._give_up)
        await asyncio.to_thread(self._shut_down)
        timer.cancel()


def open_tracing(version: str) -> Tracing:
    """Answer what sends spans as OTLP over HTTP; raises TracingNotInstalled."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracingNotInstalled(
            "TODOAPP_TRACING=true needs OpenTelemetry: install requirements/serve-tracing.txt,"
            " or the extra myapp[tracing]."
        ) from error

    class WithoutContent(SpanProcessor):
        def on_start(self, span: Span, parent_context: object = None) -> None:
            for name in _CONTENT:
                if span.attributes and name in span.attributes:
                    span.set_attribute(name, "REDACTED")

    named = Resource.create({"service.name": "todoapp", "service.version": version})
    exporter = OTLPSpanExporter()
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(WithoutContent())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider, provider.shutdown, exporter.shutdown)


class _Spans:
    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer(__name__)

    async def watch(self, operation: str, answer: Awaitable[T]) -> T:
        """Wait for the answer to what a request has asked, within a span of its own.

        What nobody has asked for would be a trace each, and there is much of that.
        """
        if not trace.get_current_span().is_recording():
            return await answer
        with self._tracer.start_as_current_span(
            f"storage {operation}", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                return await answer
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)  # without what it says
                if not isinstance(error, TodoError):
                    span.set_status(trace.StatusCode.ERROR)
                raise
