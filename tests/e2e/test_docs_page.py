"""The page at /docs in a real browser that can reach nothing but the service."""

import json
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.headless_browser import DevTools, Page, headless_browser, new_page
from tests.e2e.running_server import RunningServer, serving
from tests.programs import required_program

ARTIFACTS = Path(__file__).parents[2] / "artifacts"

WIDTH = 1_400

MADE_UP = re.compile(
    r'(string)?|.*("string"|"3fa85f64-5717-4562-b3fc-2c963f66afa6").*', re.DOTALL
)
"""What the page shows where the document has no example."""

Document = dict[str, Any]  # OpenAPI, of which each test reads a part
Operation = tuple[str, str]  # method and path


@dataclass(frozen=True, slots=True)
class Tour:
    """A page on which every operation was unfolded, and the examples that it showed.

    They are those of the bodies and of what stands in the path, from top to bottom.
    """

    page: Page
    examples: Mapping[Operation, list[str]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Answer a service that all these tests share."""
    with serving(tmp_path_factory.mktemp("service")) as server:
        yield server


@pytest.fixture(scope="module")
def document(service: RunningServer) -> Document:
    """Answer the OpenAPI document."""
    with service.client as client:
        document: Document = client.get("/openapi.json").json()
    return document


@pytest.fixture(scope="module")
def browser() -> Iterator[DevTools]:
    """Answer a browser that all these tests share."""
    program = required_program("chromium", "chromium-browser", "google-chrome")
    with headless_browser(program) as tools:
        yield tools


@pytest.fixture
def page(browser: DevTools, service: RunningServer) -> Iterator[Page]:
    """Answer a page of the test's own that shows the documentation."""
    with documentation(browser, service) as page:
        yield page


@pytest.fixture(scope="module")
def tour(browser: DevTools, service: RunningServer, document: Document) -> Iterator[Tour]:
    """Answer what somebody has seen who looked at every operation and sent nothing."""
    with documentation(browser, service) as page:
        examples = {}
        for operation in operations(document):
            with unfolded(page, operation) as block:
                selector = "[data-param-in=path] input, textarea, pre.example"
                examples[operation] = page.texts(f"{block}.querySelectorAll('{selector}')")
        yield Tour(page, examples)


def test_every_operation_is_shown(page: Page, document: Document) -> None:
    shown = page.evaluate(
        "[...document.querySelectorAll('.opblock')].map(block =>"
        " [block.querySelector('.opblock-summary-method').textContent,"
        " block.querySelector('[data-path]').dataset.path])"
    )

    assert isinstance(shown, list)
    assert sorted(map(tuple, shown)) == sorted(operations(document))


def test_every_request_goes_to_the_service_and_succeeds(
    tour: Tour, service: RunningServer
) -> None:
    requested = [url for url in tour.page.requests() if not url.startswith("data:")]

    assert f"{service.url}/openapi.json" in requested
    assert [url for url in requested if not url.startswith(f"{service.url}/")] == []
    assert tour.page.failures() == []


def test_the_console_stays_empty(tour: Tour) -> None:
    assert tour.page.complaints() == []


def test_every_example_is_a_real_one(tour: Tour) -> None:
    assert {
        (operation, example)
        for operation, examples in tour.examples.items()
        for example in examples
        if MADE_UP.fullmatch(example)
    } == set()


def test_the_example_of_an_entry_has_every_field(tour: Tour, service: RunningServer) -> None:
    with service.client as client:
        client.post("/todo", json={"content": "has every field"})
        entry = client.get("/todo").json()[0]

    (example,) = json.loads(tour.examples["GET", "/todo"][0])

    assert example.keys() == entry.keys()


def test_the_examples_of_problems_are_shown(page: Page, document: Document) -> None:
    expected = {
        status: list(response["content"]["application/problem+json"]["examples"].values())
        for status, response in document["paths"]["/todo"]["post"]["responses"].items()
        if status >= "400"
    }

    summaries, values = {}, {}
    with unfolded(page, ("POST", "/todo")) as block:
        for status in expected:
            row = f"{block}.querySelector('.response[data-code=\"{status}\"]')"
            summaries[status] = page.texts(f"{row}.querySelectorAll('.examples-select option')")
            values[status] = json.loads(page.text(f"{row}.querySelector('pre.example')"))

    assert {"400", "413", "415", "422", "503", "507"} <= expected.keys()
    assert summaries == {s: [each["summary"] for each in expected[s]] for s in expected}
    assert values == {s: expected[s][0]["value"] for s in expected}


def test_an_entry_can_be_added_on_the_page(page: Page, service: RunningServer) -> None:
    with unfolded(page, ("POST", "/todo")) as block:
        body = f"{block}.querySelector('textarea')"
        draft = json.loads(page.text(body)) | {"content": "written on the page"}
        page.fill(body, json.dumps(draft))
        status = execute(page, block)

    assert status == "201"
    with service.client as client:
        (entry,) = client.get("/todo", params={"search": "written on the page"}).json()
    assert entry | draft == entry


def test_every_operation_works_with_what_the_page_fills_in(
    page: Page, document: Document, service: RunningServer
) -> None:
    with service.client as client:
        entry_id = client.post("/todo", json={"content": "to be worked on"}).json()
        undone = client.post("/todo", json={"content": "to be undone"}).headers["ETag"]
    values = {
        "id": entry_id,
        "tag": "home",
        "slug": "not-found",
        "revision": undone.strip('"'),
    }
    removal = ("DELETE", "/todo/{id}")
    endless = ("GET", "/todo/events")  # of which the page would wait for the end

    statuses = {}
    for operation in sorted(operations(document), key=lambda each: each == removal):
        if operation == endless:
            continue
        with unfolded(page, operation) as block:
            for name, value in values.items():
                if f"{{{name}}}" in operation[1]:
                    page.fill(f"{block}.querySelector('[data-param-name={name}] input')", value)
            statuses[operation] = execute(page, block)

    assert statuses == {
        ("GET", "/todo"): "200",
        ("POST", "/todo"): "201",
        ("GET", "/todo/{id}"): "200",
        ("PUT", "/todo/{id}"): "200",
        ("PATCH", "/todo/{id}"): "200",
        ("DELETE", "/todo/{id}"): "204",
        ("PUT", "/todo/{id}/tags/{tag}"): "200",
        ("DELETE", "/todo/{id}/tags/{tag}"): "200",
        ("GET", "/tags"): "200",
        ("POST", "/todo/batch"): "200",
        ("GET", "/todo/changes"): "200",
        ("GET", "/todo/{id}/changes"): "200",
        ("POST", "/todo/changes/{revision}/undo"): "200",
        ("GET", "/health/live"): "200",
        ("GET", "/health/ready"): "200",
        ("GET", "/metrics"): "200",
        ("GET", "/problems/{slug}"): "200",
    }


def test_a_picture_of_the_whole_page_is_kept(page: Page) -> None:
    picture = page.screenshot(width=WIDTH)

    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "docs.png").write_bytes(picture)
    size = struct.unpack(">LL", picture[16:24])
    assert size == (WIDTH, page.evaluate("document.documentElement.scrollHeight"))


@contextmanager
def documentation(browser: DevTools, service: RunningServer) -> Iterator[Page]:
    """Open the documentation, and answer the page once it shows operations."""
    with new_page(browser) as page:
        page.open(f"{service.url}/docs")
        page.wait_for("document.querySelector('.opblock')")
        yield page


def operations(document: Document) -> list[Operation]:
    """Answer every operation."""
    return [
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
    ]


@contextmanager
def unfolded(page: Page, operation: Operation) -> Iterator[str]:
    """Unfold an operation meanwhile, and answer the JavaScript expression of its element."""
    method, path = operation
    selector = f'.opblock-{method.lower()} [data-path="{path}"]'
    block = f"document.querySelector({json.dumps(selector)}).closest('.opblock')"
    page.click(f"{block}.querySelector('.opblock-summary-control')")
    page.wait_for(f"{block}.querySelector('.execute')")
    page.wait_for(f"{block}.querySelector('pre.example')")
    yield block
    page.click(f"{block}.querySelector('.opblock-summary-control')")


def execute(page: Page, block: str) -> str:
    """Send an unfolded operation's request, and answer the status that the page shows."""
    page.click(f"{block}.querySelector('.execute')")
    status = f"{block}.querySelector('.live-responses-table .response .response-col_status')"
    page.wait_for(status)
    return page.text(status)
