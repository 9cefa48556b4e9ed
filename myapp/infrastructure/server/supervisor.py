"""Several processes that serve at one address: started, watched, replaced and stopped."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from threading import Thread
from time import monotonic

from myapp.infrastructure.server.signals import leave_at_once, on_stop, stops

_STEADY = 10.0
"""Seconds after which a worker that has ended is replaced at once, as one that did work."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0

_processes = multiprocessing.get_context("spawn")
_log = logging.getLogger(__name__)


class WorkerCannotStart(Exception):
    """The message is that of the worker."""


Tell = Callable[[str | None], None]
"""Takes None once a worker takes requests, or a line that says why it cannot start."""

Work = Callable[[int, Tell], None]
"""What a worker of some number does until it is told to stop; it has to be picklable."""


def supervise(
    work: Work,
    listener: socket.socket,
    *,
    workers: int,
    started: Callable[[], None],
) -> None:
    """Have so many processes work until SIGINT, SIGTERM or SIGHUP, and replace who ends.

    Calls `started` once all of them take requests. The listener is theirs, and closed here
    as soon as they shall stop. A second SIGINT waits for nobody. Raises WorkerCannotStart if
    one of the first does not.
    """
    resource_tracker.ensure_running()  # first: starting it lets in what is held back later
    try:
        asyncio.run(_Supervisor(work, listener, workers, started).run())
    finally:
        on_stop(leave_at_once)


class _Supervisor:
    def __init__(
        self,
        work: Work,
        listener: socket.socket,
        workers: int,
        started: Callable[[], None],
    ) -> None:
        self._work = work
        self._listener = listener
        self._numbers = range(1, workers + 1)
        self._started = started
        self._workers: dict[int, _Worker] = {}
        self._serving: set[int] = set()
        self._stopping = asyncio.Event()
        self._failure: WorkerCannotStart | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in stops():
            loop.add_signal_handler(number, self._stop, number)
        await asyncio.gather(*map(self._keep, self._numbers))
        if self._failure is not None:
            raise self._failure

    async def _keep(self, number: int) -> None:
        """Have a worker of this number, one after the other, until all shall stop."""
        pause = 0.0
        while not self._stopping.is_set():
            began = monotonic()
            reason = await self._employ(number)
            if self._stopping.is_set():
                return
            if number not in self._serving:
                return self._fail(reason)
            lasted = monotonic() - began
            pause = 0.0 if lasted > _STEADY else min(pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
            _log.error(
                "worker %d has ended: %s (in %.1f seconds another takes its place)",
                number,
                reason,
                pause,
            )
            await self._sleep(pause)

    async def _employ(self, number: int) -> str:
        """Have one worker of this number, and answer why it has ended."""
        try:
            worker = self._workers[number] = _Worker(self._work, number)
        except OSError as error:  # the system has no more processes, or files
            return str(error)
        reason = await worker.complaint()
        if reason is None:
            self._serves(number)
        code = await worker.ended()
        del self._workers[number]
        return reason or f"its exit code was {code}"

    def _serves(self, number: int) -> None:
        was_complete = len(self._serving) == len(self._numbers)
        self._serving.add(number)
        if not was_complete and len(self._serving) == len(self._numbers):
            self._started()

    def _fail(self, reason: str) -> None:
        """Give up, since what keeps one from starting will keep the others, too."""
        self._failure = WorkerCannotStart(reason)
        self._stop(signal.SIGTERM)

    def _stop(self, number: int) -> None:
        again = self._stopping.is_set()
        self._stopping.set()
        self._listener.close()
        for worker in self._workers.values():
            if again and number == signal.SIGINT:
                worker.kill()
            else:
                worker.stop()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


class _Worker:
    """A process, from its start to its end."""

    def __init__(self, work: Work, number: int) -> None:
        self._told, telling = _processes.Pipe(duplex=False)
        self._process = _processes.Process(
            target=_work, args=(work, number, telling), name=f"worker {number}"
        )
        # A Ctrl-C is for all processes of a terminal, but when to stop a worker is said here:
        # it inherits that the signal is held back, and never hears of it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        telling.close()

    async def complaint(self) -> str | None:
        """Wait until it takes requests; answers why it does not, if it ends before."""
        await _readable(self._told.fileno())
        with self._told:
            try:
                complaint: str | None = self._told.recv()
            except EOFError:
                return f"it could not start, and its exit code was {await self.ended()}"
        return complaint

    async def ended(self) -> int | None:
        """Wait until it has ended, and answer its exit code."""
        await _readable(self._process.sentinel)
        self._process.join()
        return self._process.exitcode

    def stop(self) -> None:
        """Let it finish what it does."""
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read, be it only that nothing more will come."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)


def _work(work: Work, number: int, telling: Connection) -> None:
    """Be a worker: work, tell whoever has started this, and do not outlive them."""
    Thread(target=_stop_when_orphaned, daemon=True).start()
    on_stop(leave_at_once)

    def tell(complaint: str | None) -> None:
        with telling:
            telling.send(complaint)

    work(number, tell)


def _stop_when_orphaned() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
