"""A Chromium without a window, cut off from every other machine, driven over DevTools."""

import json
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.e2e.running_server import PATIENCE, clean_environment, end, wait_until

Message = dict[str, Any]  # DevTools speaks JSON whose shape depends on the method

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)


@dataclass(slots=True)
class DevTools:
    """A connection to a browser: commands go out, answers and events come in."""

    connection: ClientConnection
    events: list[Message] = field(default_factory=list)
    _last_id: int = 0

    def call(self, method: str, session: str | None = None, **parameters: object) -> Message:
        """Answer what a command answers; fails if it is refused, or not answered in time."""
        self._last_id += 1
        command = {"id": self._last_id, "method": method, "params": parameters}
        addressed = command if session is None else command | {"sessionId": session}
        self.connection.send(json.dumps(addressed))
        answer = self._answer(self._last_id)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: Message = answer["result"]
        return result

    def _answer(self, number: int) -> Message:
        """Answer the message that answers a command, keeping the events before it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            message: Message = json.loads(
                self.connection.recv(timeout=max(0.0, deadline - time.monotonic()))
            )
            if message.get("id") == number:
                return message
            self.events.append(message)


@dataclass(frozen=True, slots=True)
class Page:
    """A tab with a profile of its own, and what has happened in it."""

    tools: DevTools
    session: str

    def open(self, url: str) -> None:
        """Go to a URL and answer once its document is complete."""
        self._call("Page.navigate", url=url)
        self.wait_for(f"location.href === {json.dumps(url)}")
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> object:
        """Answer the value of a JavaScript expression, as JSON can tell it."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        value: object = answer["result"].get("value")
        return value

    def texts(self, elements: str) -> list[str]:
        """Answer the text of each element, or what stands in it if it is a field."""
        text = "node.matches('input, textarea') ? node.value : node.textContent"
        found = self.evaluate(f"Array.from({elements}, node => {text})")
        assert isinstance(found, list)
        return found

    def text(self, element: str) -> str:
        """Answer the text of an element, or what stands in it if it is a field."""
        (text,) = self.texts(f"[{element}]")
        return text

    def wait_for(self, condition: str) -> None:
        """Answer once a JavaScript expression is truthy; fails if it does not become so."""
        wait_until(lambda: self.evaluate(f"Boolean({condition})") is True, condition)

    def click(self, element: str) -> None:
        """Click the element that a JavaScript expression names, once it is there."""
        self.wait_for(element)
        self.evaluate(f"{element}.click()")

    def fill(self, element: str, text: str) -> None:
        """Replace what stands in a field by a text, as typing does, and leave the field."""
        self.wait_for(element)
        self.evaluate(f"{element}.focus()")
        self.evaluate(f"{element}.select()")
        self._call("Input.insertText", text=text)
        self.evaluate(f"{element}.blur()")

    def screenshot(self, *, width: int) -> bytes:
        """Answer a picture of the whole page, as PNG."""
        height = 1_000
        for _ in range(2):  # the first time lays the page out in the width
            self._call(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=False,
            )
            height = self._call("Page.getLayoutMetrics")["cssContentSize"]["height"]
        return b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def requests(self) -> list[str]:
        """Answer the URLs requested so far, once all of them have been answered or failed."""
        wait_until(self._is_quiet, "every request is answered")
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    def failures(self) -> list[str]:
        """Answer the requests that were answered with an error, or not at all."""
        responses = [event["response"] for event in self._events("Network.responseReceived")]
        refused = [f"{r['status']} {r['url']}" for r in responses if r["status"] >= 400]
        return refused + [event["errorText"] for event in self._events("Network.loadingFailed")]

    def complaints(self) -> list[str]:
        """Answer the errors and warnings that the developer's console shows."""
        shown = ("assert", "error", "warning")
        logged = [event["entry"] for event in self._events("Log.entryAdded")]
        return [
            *(entry["text"] for entry in logged if entry["level"] in shown),
            *(
                str(event["args"])
                for event in self._events("Runtime.consoleAPICalled")
                if event["type"] in shown
            ),
            *(str(e["exceptionDetails"]) for e in self._events("Runtime.exceptionThrown")),
        ]

    def _is_quiet(self) -> bool:
        self.evaluate("0")  # what has happened meanwhile is told before the answer
        begun = {event["requestId"] for event in self._events("Network.requestWillBeSent")}
        over = self._events("Network.loadingFinished") + self._events("Network.loadingFailed")
        return begun <= {event["requestId"] for event in over}

    def _events(self, method: str) -> list[Message]:
        return [
            event["params"]
            for event in self.tools.events
            if event["method"] == method and event.get("sessionId") == self.session
        ]

    def _call(self, method: str, **parameters: object) -> Message:
        return self.tools.call(method, self.session, **parameters)


@contextmanager
def headless_browser(program: str) -> Iterator[DevTools]:
    """Start a browser in a new folder that takes all it writes, and end both afterwards."""
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as name:
        folder = Path(name)  # short, as the path of a socket in it has to be
        process = subprocess.Popen(
            [program, *_OPTIONS, f"--user-data-dir={folder / 'profile'}"],
            env=clean_environment() | {"HOME": name, "TMPDIR": name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            url = _devtools_url(folder / "profile" / "DevToolsActivePort")
            with connect(url, proxy=None, compression=None, max_size=None) as connection:
                yield DevTools(connection)
        finally:
            end(process)


@contextmanager
def new_page(tools: DevTools) -> Iterator[Page]:
    """Open an empty page that shares nothing with others, and close it afterwards."""
    context = tools.call("Target.createBrowserContext")["browserContextId"]
    target = tools.call("Target.createTarget", url="about:blank", browserContextId=context)
    attached = tools.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    session: str = attached["sessionId"]
    for domain in ("Log", "Network", "Page", "Runtime"):
        tools.call(f"{domain}.enable", session)
    try:
        yield Page(tools, session)
    finally:
        tools.call("Target.disposeBrowserContext", browserContextId=context)


def _devtools_url(told: Path) -> str:
    """Answer where DevTools listens, from the file that the browser writes it to."""
    lines: list[str] = []

    def is_told() -> bool:
        lines[:] = told.read_text().splitlines() if told.exists() else []
        return len(lines) == 2

    wait_until(is_told, "the browser has told its DevTools port")
    port, path = lines
    return f"ws://127.0.0.1:{port}{path}"
