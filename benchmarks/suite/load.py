"""Load: as much as is answered, from wrk; or so much a second, from clients of our own."""

import asyncio
import json
import shutil

# What is started is named in this program, without a shell.
import subprocess  # nosec B404
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple

from benchmarks.service import Answer, Client
from benchmarks.service import request as as_sent

PATIENCE = 120.0
"""Seconds that answers may take."""

_CLIENTS = 64
_SCRIPT = Path(__file__).with_name("requests.lua")


class LoadFailed(Exception):
    """Something was not answered as it should be."""


class Sent(NamedTuple):
    """A request as it is sent, in its parts."""

    method: str
    target: str
    body: bytes = b""


class Burst(NamedTuple):
    """What came of asking as fast as is answered; times in milliseconds."""

    rate: float
    p50: float
    p99: float


def version() -> str:
    """Answer the version of wrk; raises LoadFailed if there is none."""
    if (program := shutil.which("wrk")) is None:
        raise LoadFailed(
            "wrk, which makes the load, is not installed: on Debian and Ubuntu"
            " `apt-get update && apt-get install wrk`, on others see their packages."
        )
    told = subprocess.run([program, "--version"], capture_output=True, text=True)  # nosec B603
    return told.stdout.split()[1]


def write_requests(requests: Iterable[Sent], file: Path) -> None:
    """Write a file of requests for bursts of them."""
    with open(file, "wb") as output:
        for request in requests:
            sent = as_sent(*request)
            output.write(b"%d\n%b" % (len(sent), sent))


def burst(port: int, requests: Path, clients: int, seconds: int) -> Burst:
    """Send requests of a file as fast as they are answered; raises LoadFailed."""
    command = ["wrk", "--threads=1", f"--connections={clients}", f"--duration={seconds}s"]
    command += [f"--timeout={PATIENCE:.0f}s", f"--script={_SCRIPT}", f"http://127.0.0.1:{port}"]
    ran = subprocess.run(  # nosec B603
        [*command, "--", str(requests)], capture_output=True, text=True
    )
    if ran.returncode != 0:
        raise LoadFailed(ran.stderr)
    told = json.loads(ran.stdout.splitlines()[-1])
    if told["refused"] or told["broken"]:
        raise LoadFailed(f"not all was answered well: {told}")
    return Burst(told["answered"] / told["seconds"], told["p50"], told["p99"])


async def answers(port: int, requests: Sequence[Sent]) -> Sequence[tuple[Answer, float]]:
    """Answer what each request is answered, one after the other, and after how many seconds."""
    client = await Client.connect(port)
    answered = []
    async with asyncio.timeout(PATIENCE):
        for request in requests:
            begin = perf_counter()
            answered.append((await client.request(*request), perf_counter() - begin))
    await client.close()
    return answered


async def paced(port: int, requests: Sequence[Sent], rate: float, seconds: float) -> Burst:
    """Send so many requests a second, two at least, on a fixed schedule; raises LoadFailed.

    The time of each counts from when it was due, however late it could be sent.
    """
    clients = [await Client.connect(port) for _ in range(_CLIENTS)]
    begin = perf_counter()
    count = max(2, int(rate * seconds))
    due = iter([(begin + n / rate, requests[n % len(requests)]) for n in range(count)])
    taken: list[float] = []

    async def work(client: Client) -> None:
        for moment, request in due:
            await asyncio.sleep(moment - perf_counter())
            if (answer := await client.request(*request)).status >= 400:
                raise LoadFailed(f"{request.method} {request.target}: {answer.body!r}")
            taken.append((perf_counter() - moment) * 1_000)

    async with asyncio.timeout(count / rate + PATIENCE):
        await asyncio.gather(*(work(client) for client in clients))
    asked = len(taken) / (perf_counter() - begin)
    for client in clients:
        await client.close()
    return Burst(asked, median(taken), quantiles(taken, n=100, method="inclusive")[-1])
