"""A long run of mixed load at half of what the service can do: does anything grow?

    python -m benchmarks.soak [SECONDS] [STORAGE_URL] [FOLDER]

Eight of ten requests read (an entry, a page, a search, the tags, changes), two write (create,
change, remove). First the clients ask as fast as they are answered; then, for so many seconds,
at half of that rate on a fixed schedule, and a request counts from when it was due. Each
window of time has its percentiles, and the memory, descriptors and bytes on disk that there are
at its end; they go to FOLDER/soak.csv and FOLDER/soak.svg. Every status is checked. In the end
it tells what the second and the last quarter of the time had: by the second one the history is
full.
"""

import asyncio
import csv
import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import uvloop
from matplotlib import pyplot

from benchmarks.service import Client, Service, serving
from myapp.infrastructure.database.storage import open_archive, open_storage
from tests.realistic_entries import realistic_entries

SECONDS = 3_600.0
WINDOWS = 120
CLIENTS = 16
ENTRIES = 10_000
HISTORY = 20_000
WARM_UP = 20.0

_SHARES = {
    "get": 40,
    "page": 26,
    "search": 5,
    "tags": 4,
    "changes": 5,
    "create": 6,
    "change": 8,
    "remove": 6,
}
_ORDERS = ("created", "-updated", "due", "priority", "content")
_WORDS = ("dentist", "milk", "ticket", "letter", "invoice")


class Window(NamedTuple):
    """A while of the run; times in milliseconds, sizes in bytes."""

    minutes: float
    rate: float
    median: float
    p99: float
    longest: float
    memory: int
    descriptors: int
    stored: int


class Load:
    """Requests like people's, the same ones each time, on entries that come and go."""

    def __init__(self, ids: list[str]) -> None:
        self._random = Random(1)  # nosec B311  # what is asked for is no secret
        self._ids = deque(ids)
        self._bodies = _bodies()

    async def ask(self, client: Client) -> None:
        """Send a request, and raise RuntimeError if the answer is none of the expected."""
        (kind,) = self._random.choices(list(_SHARES), list(_SHARES.values()))
        method, target, body = self._request(kind)
        answer = await client.request(method, target, body)
        # What is chosen now may be removed by another client before it is asked for.
        if answer.status >= 400 and not (answer.status == 404 and kind != "remove"):
            raise RuntimeError(f"{method} {target}: {answer.body!r}")
        if kind == "create":
            self._ids.append(json.loads(answer.body))

    def _request(self, kind: str) -> tuple[str, str, bytes]:
        some = f"/todo/{self._random.choice(self._ids)}"
        match kind:
            case "get":
                return "GET", some, b""
            case "page":
                order = self._random.choice(_ORDERS)
                return "GET", f"/todo?limit=50&done=false&sort={order}", b""
            case "search":
                return "GET", f"/todo?limit=50&search={self._random.choice(_WORDS)}", b""
            case "tags":
                return "GET", "/tags", b""
            case "changes":
                return "GET", f"{some}/changes", b""
            case "create":
                return "POST", "/todo", next(self._bodies)
            case "change":
                return "PATCH", some, b'{"done": %b}' % self._random.choice((b"true", b"false"))
            case _:
                return "DELETE", f"/todo/{self._ids.popleft()}", b""


async def saturate(clients: list[Client], load: Load) -> float:
    """Answer how many requests a second are answered, as fast as it goes."""
    done = 0
    end = perf_counter() + WARM_UP

    async def work(client: Client) -> None:
        nonlocal done
        while perf_counter() < end:
            await load.ask(client)
            done += 1

    await asyncio.gather(*(work(client) for client in clients))
    return done / WARM_UP


async def pace(clients: list[Client], load: Load, rate: float, seconds: float) -> list[float]:
    """Ask so often for so long; answer the milliseconds that each request took since due."""
    begin = perf_counter()
    due = iter([begin + number / rate for number in range(int(rate * seconds))])
    taken: list[float] = []

    async def work(client: Client) -> None:
        for moment in due:
            await asyncio.sleep(moment - perf_counter())
            await load.ask(client)
            taken.append((perf_counter() - moment) * 1_000)

    await asyncio.gather(*(work(client) for client in clients))
    return taken


async def run(service: Service, ids: list[str], stored: Path, seconds: float) -> list[Window]:
    """Answer the windows of a run, each of which is printed when it is over."""
    clients = [await Client.connect(service.port) for _ in range(CLIENTS)]
    load = Load(ids)
    most = await saturate(clients, load)
    print(f"{most:,.0f} requests a second at most; {most / 2:,.0f} from here on")
    windows = []
    for number in range(WINDOWS):
        begin = perf_counter()
        taken = await pace(clients, load, most / 2, seconds / WINDOWS)
        windows.append(
            Window(
                minutes=(number + 1) * seconds / WINDOWS / 60,
                rate=len(taken) / (perf_counter() - begin),
                median=median(taken),
                p99=quantiles(taken, n=100, method="inclusive")[-1],
                longest=max(taken),
                memory=service.memory(),
                descriptors=service.descriptors(),
                stored=_size(stored),
            )
        )
        _show(f"minute {windows[-1].minutes:.1f}", windows[-1:])
    return windows


async def fill(url: str) -> list[str]:
    """Store the first entries, and answer their ids."""
    await open_archive(url).migrate()
    entries = list(realistic_entries(ENTRIES, seed=0))
    async with open_storage(url) as repository:
        for start in range(0, ENTRIES, 1_000):
            await repository.save(*entries[start : start + 1_000])
    return [str(entry.id) for entry in entries]


def main(seconds: float, url: str | None, reports: Path) -> None:
    """Run on a storage, by default a new one of the pickle kind, and tell."""
    with TemporaryDirectory() as folder:
        url = url or f"pickle:///{folder}"
        ids = asyncio.run(fill(url))
        stored = Path(url.partition(":///")[2])
        with serving(url, {"TODOAPP_HISTORY": str(HISTORY)}) as service:
            windows = uvloop.run(run(service, ids, stored, seconds))
    reports.mkdir(parents=True, exist_ok=True)
    with open(reports / "soak.csv", "w", newline="", encoding="ascii") as file:
        csv.writer(file).writerows([Window._fields, *windows])
    quarter = WINDOWS // 4
    _show("second quarter", windows[quarter : 2 * quarter])
    _show("last quarter", windows[-quarter:])
    plot(windows, reports / "soak.svg")


def plot(windows: list[Window], file: Path) -> None:
    """Draw what each window had."""
    minutes = [window.minutes for window in windows]
    figure, (latency, memory, disk) = pyplot.subplots(3, sharex=True, figsize=(8, 7))
    latency.plot(minutes, [window.p99 for window in windows], label="99 %")
    latency.plot(minutes, [window.median for window in windows], label="median")
    latency.set(ylabel="latency (ms)", yscale="log")
    latency.legend()
    memory.plot(minutes, [window.memory / 1e6 for window in windows])
    memory.set(ylabel="memory (MB)", ylim=(0, None))
    disk.plot(minutes, [window.stored / 1e6 for window in windows])
    disk.set(ylabel="on disk (MB)", xlabel="minutes", ylim=(0, None))
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})


def _show(name: str, windows: list[Window]) -> None:
    rate, middle, p99, longest, memory, descriptors, stored = (
        median(values) for values in list(zip(*windows, strict=True))[1:]
    )
    print(
        f"{name:15} {rate:7,.0f}/s  median {middle:6.1f} ms  99 % {p99:6.1f} ms"
        f"  longest {longest:7.1f} ms  {memory / 1e6:6.1f} MB"
        f"  {descriptors:3.0f} descriptors  {stored / 1e6:6.1f} MB on disk",
        flush=True,
    )


def _size(stored: Path) -> int:
    """Answer the bytes of a folder's files, or of a file and those that go with it."""
    files = stored.iterdir() if stored.is_dir() else stored.parent.glob(f"{stored.name}*")
    return sum(file.stat().st_size for file in files)


def _bodies() -> Iterator[bytes]:
    for seed in range(1, 1_000_000):
        for entry in realistic_entries(1_000, seed=seed):
            told = {"content": entry.content, "notes": entry.notes, "tags": entry.tags}
            yield json.dumps(told).encode()


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    main(
        float(arguments.get(0, SECONDS)),
        arguments.get(1),
        Path(arguments.get(2, "soak")),
    )
