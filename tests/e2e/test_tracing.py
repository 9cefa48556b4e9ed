"""Traces: what a collector of OpenTelemetry is told of requests."""

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tests.e2e.running_server import Launcher, RunningServer
from tests.e2e.test_start_and_stop import assert_cannot_start

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_PARENT = "00f067aa0ba902b7"
_ID = "01936d3a-0000-7000-8000-000000000001"


class Collector(HTTPServer):
    """Takes spans as OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.exports: list[ExportTraceServiceRequest] = []

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def resources(self) -> list[ResourceSpans]:
        """What was told, by whom it was."""
        return [resource for export in self.exports for resource in export.resource_spans]

    @property
    def spans(self) -> list[Span]:
        """All that was told."""
        return [
            span
            for resource in self.resources
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.server.exports.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Answer a collector that listens."""
    with Collector() as collector:
        thread = Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


@pytest.fixture
def traced(settings: dict[str, str], collector: Collector) -> dict[str, str]:
    """Answer the settings of a service whose spans go to the collector."""
    endpoint = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    return settings | endpoint | {"TODOAPP_TRACING": "true"}


def test_a_request_is_a_span_of_the_trace_that_the_client_names(
    launcher: Launcher, traced: dict[str, str], collector: Collector
) -> None:
    server = launcher.serve(traced)
    with server.client as client:
        client.get("/todo/hush?at=hush", headers={"traceparent": f"00-{_TRACE}-{_PARENT}-01"})
        client.get("/todo?search=hush")
    ended = server.stop()

    named, unnamed = sorted(of_requests(collector), key=lambda span: span.name, reverse=True)
    assert (named.name, named.kind) == ("GET /todo/{id}", Span.SPAN_KIND_SERVER)
    assert (named.trace_id.hex(), named.parent_span_id.hex()) == (_TRACE, _PARENT)
    attributes = {a.key: a.value for a in named.attributes}
    assert attributes["http.route"].string_value == "/todo/{id}"
    assert attributes["http.response.status_code"].int_value == 422
    assert (unnamed.name, unnamed.parent_span_id) == ("GET /todo", b"")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert [line["trace_id"] for line in lines] == [_TRACE, unnamed.trace_id.hex()]
    assert "hush" not in str(collector.exports)


def test_what_a_request_asks_of_the_storage_is_a_span_within_its_own(
    launcher: Launcher, traced: dict[str, str], collector: Collector
) -> None:
    server = launcher.serve(traced)
    with server.client as client:
        client.post("/todo", json={"content": "hush"})
        client.get("/todo/0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e")
    server.stop()

    requests = {span.span_id: span.name for span in of_requests(collector)}
    within = [span for span in collector.spans if span.span_id not in requests]
    asked = {(requests[span.parent_span_id], span.name) for span in within}
    assert asked == {("POST /todo", "storage save"), ("GET /todo/{id}", "storage get")}
    assert {
        attribute.key: attribute.value.string_value
        for span in within
        for attribute in span.attributes
    } == {"error.type": "TodoEntryNotFound"}
    assert "hush" not in str(collector.exports)


def test_a_path_that_has_a_line_feed_means_the_same_as_without_traces(
    launcher: Launcher, settings: dict[str, str], traced: dict[str, str], tmp_path: Path
) -> None:
    other = {"TODOAPP_STORAGE_DIR": str(tmp_path / "other todos")}

    for chosen in (settings, traced | other):
        statuses = statuses_of_line_feeds(launcher.serve(chosen))

        assert statuses == [200, 422, 422, 422, 404, 404, 404]


@pytest.mark.parametrize(("trusted", "scheme"), [("127.0.0.1", "https"), ("", "http")])
def test_only_a_proxy_that_is_named_is_believed_how_it_was_asked(
    launcher: Launcher,
    traced: dict[str, str],
    collector: Collector,
    trusted: str,
    scheme: str,
) -> None:
    server = launcher.serve(traced | {"TODOAPP_TRUSTED_PROXIES": trusted})
    with server.client as client:
        client.get("/todo", headers={"X-Forwarded-Proto": "https"})
    server.stop()

    (span,) = of_requests(collector)
    attributes = {a.key: a.value.string_value for a in span.attributes}
    assert attributes["url.scheme"] == scheme


def test_the_service_has_a_name_of_its_own_or_the_one_that_it_is_given(
    launcher: Launcher, traced: dict[str, str], collector: Collector
) -> None:
    for more in ({}, {"OTEL_SERVICE_NAME": "ours"}):
        server = launcher.serve(traced | more)
        with server.client as client:
            client.get("/health/live")
        server.stop()

    names = [
        attribute.value.string_value
        for resource in collector.resources
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    ]
    assert names == ["todoapp", "ours"]


def test_without_what_it_takes_the_start_says_what_to_install(
    launcher: Launcher, traced: dict[str, str]
) -> None:
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None"
    program = f"{hidden}; from myapp.app import main; main()"

    refused = launcher.run(traced, (sys.executable, "-c", program))

    assert_cannot_start(refused, "TODOAPP_TRACING", "requirements/serve-tracing.txt")
    assert len(refused.err.splitlines()) == 1


def statuses_of_line_feeds(server: RunningServer) -> list[int]:
    """Answer how paths are answered that have a line feed."""
    requests = [
        ("PUT", f"/todo/{_ID}/tags/a%0A"),
        ("PUT", f"/todo/{_ID}/tags/%0A"),
        ("PUT", f"/todo/{_ID}/tags/a%0Ab"),
        ("GET", f"/todo/{_ID}%0A"),
        ("GET", f"/todo/{_ID}/changes%0A"),
        ("GET", "/todo%0A"),
        ("GET", "/docs%0A"),
    ]
    with server.client as client:
        client.put(f"/todo/{_ID}", json={"content": "x"}).raise_for_status()
        return [client.request(*request).status_code for request in requests]


def of_requests(collector: Collector) -> list[Span]:
    """Answer the spans that a collector was told of requests."""
    return [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]
