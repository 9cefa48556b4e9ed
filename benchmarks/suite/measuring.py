"""The run: everybody who takes part, and what they share."""

import gc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.suite import load
from benchmarks.suite.comparison import Comparison, Plan
from benchmarks.suite.contenders import json_server, pocketbase
from benchmarks.suite.contenders.catalogue import CONTENDERS, Surroundings
from benchmarks.suite.contenders.constants import usual_lengths
from benchmarks.suite.processes import Cores, held_to
from benchmarks.suite.questions import Questions
from benchmarks.suite.results import Results, this_machine
from benchmarks.suite.runner import Entrant
from myapp.domain.todo import TodoEntry
from tests.postgresql_server import PostgresqlServer, running_postgresql
from tests.realistic_entries import realistic_entries

_ENTRIES_FOR_LENGTHS = 1_000


def measure(plan: Plan, keep: Callable[[Results], None]) -> Results:
    """Do what is planned, and tell on the way; what is there so far is kept after each work."""
    versions = {
        "wrk": load.version(),
        "PocketBase": pocketbase.VERSION,
        "json-server": json_server.VERSION,
    }
    results = Results(this_machine(versions))
    cores = Cores.available()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        stack.enter_context(held_to(cores.others))

        @cache
        def postgresql() -> PostgresqlServer:
            return stack.enter_context(running_postgresql(fsync=True))

        lengths = usual_lengths(_entries(_ENTRIES_FOR_LENGTHS), folder / "lengths", cores.first)
        asked = {size: Questions(_entries(size)) for size in plan.contenders}
        gc.freeze()  # or latencies have pauses in which garbage is looked for in all of them

        def entrant(name: str, size: int) -> Entrant:
            surroundings = Surroundings(folder / str(size) / name, lengths, postgresql)
            return Entrant(CONTENDERS[name].make(name, surroundings), asked[size])

        entrants = [
            entrant(name, size)
            for name in CONTENDERS  # with few entries and many, one after the other
            for size, names in plan.contenders.items()
            if name in names
        ]
        Comparison(plan, cores, results, keep).run(entrants)
    return results


def _entries(size: int) -> Sequence[TodoEntry]:
    numbered = enumerate(realistic_entries(size), 1)
    return [replace(entry, revision=number) for number, entry in numbered]
