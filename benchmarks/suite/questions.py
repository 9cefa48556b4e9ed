"""What contenders are asked: the same questions to each, drawn at random from all entries.

Bandit warns of random numbers that can be foretold; here they have to be.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from random import Random
from typing import NamedTuple

from myapp.domain.todo import TodoEntry
from tests.realistic_entries import realistic_entries

PAGE = 50
"""How many entries a page has at most, whatever it is a page of."""

_ORDERS = ("created", "-created", "content", "-content")
_COMMON = ("milk", "the", "oat")
_TAGS = ("home-1", "büro-2", "店-3", "work-4")
_NEW = 2_000


class Kind(StrEnum):
    """What is wanted."""

    GET = "get"
    FIRST = "first"
    PAGE = "page"
    RARE = "rare"
    COMMON = "common"
    FILTERED = "filtered"
    CREATE = "create"
    PATCH = "patch"


class Question(NamedTuple):
    """What is wanted of an entry: one that is stored, or is to be.

    `text` is the order of a page ("-" before it turns it round), the first or the one after
    the entry, what is searched for, the tag that is filtered by, or the notes that it gets.
    """

    kind: Kind
    entry: TodoEntry
    text: str = ""


class Work(NamedTuple):
    """Questions of some kinds, with their shares, from clients that each ask one at a time.

    `most` is how many are drawn for a second; if more are answered, they come again.
    """

    name: str
    title: str
    shares: Mapping[Kind, int]
    clients: int = 16
    most: int = 5_000

    @property
    def changes(self) -> bool:
        """Whether there are other entries afterwards."""
        return bool(self.shares.keys() & {Kind.CREATE, Kind.PATCH})


WORKS = (
    Work("get", "get one", {Kind.GET: 1}, most=20_000),
    Work("first", f"first page of {PAGE}, sorted", {Kind.FIRST: 1}),
    Work("page", f"page of {PAGE} from anywhere, sorted", {Kind.PAGE: 1}),
    Work("rare", "search for something rare", {Kind.RARE: 1}, most=2_000),
    Work("common", "search for something common", {Kind.COMMON: 1}),
    Work("filtered", "open entries with a tag", {Kind.FILTERED: 1}),
    Work("create1", "durable create, 1 client", {Kind.CREATE: 1}, clients=1),
    Work("create16", "durable create, 16 clients", {Kind.CREATE: 1}),
    Work("create64", "durable create, 64 clients", {Kind.CREATE: 1}, clients=64),
    Work("patch", "durable change, 16 clients", {Kind.PATCH: 1}),
    Work(
        "mixed",
        "90 % reads, 10 % changes",
        {
            Kind.GET: 60,
            Kind.PAGE: 20,
            Kind.FILTERED: 5,
            Kind.COMMON: 5,
            Kind.CREATE: 5,
            Kind.PATCH: 5,
        },
    ),
)


class Questions:
    """Questions about entries; those of the same work and number are always the same."""

    def __init__(self, entries: Sequence[TodoEntry]) -> None:
        self.entries = entries
        self._new = list(realistic_entries(_NEW, seed=0))

    def draw(self, work: Work, number: int, count: int) -> Sequence[Question]:
        """Answer so many questions."""
        # The same questions for all contenders: what is drawn has to be foreseeable.
        return list(self._drawn(work, Random(f"{work.name} {number}"), count))  # nosec B311

    def _drawn(self, work: Work, chance: Random, count: int) -> Iterator[Question]:
        kinds = chance.choices([*work.shares], [*work.shares.values()], k=count)
        for number, kind in enumerate(kinds):
            entry = chance.choice(self.entries)
            match kind:
                case Kind.GET:
                    yield Question(kind, entry)
                case Kind.FIRST | Kind.PAGE:
                    yield Question(kind, entry, chance.choice(_ORDERS))
                case Kind.RARE:
                    while len(entry.content) < 34:
                        entry = chance.choice(self.entries)
                    yield Question(kind, entry, entry.content[2:32].strip())
                case Kind.COMMON:
                    yield Question(kind, entry, chance.choice(_COMMON))
                case Kind.FILTERED:
                    yield Question(kind, entry, chance.choice(_TAGS))
                case Kind.CREATE:
                    yield Question(kind, chance.choice(self._new))
                case Kind.PATCH:
                    # Never what it was: a change that changes nothing costs nothing.
                    yield Question(kind, entry, f"{chance.getrandbits(64)} {number}")
