"""What is compared: a server that is filled and started, and asked in its own way."""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.service import Answer
from benchmarks.suite.load import Sent
from benchmarks.suite.processes import Launch
from benchmarks.suite.questions import PAGE, Kind, Question
from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry

_SORTED_CONTENT = 100  # characters by which this service sorts


def files_in(folder: Path) -> Iterator[Path]:
    """Answer the files in a folder and all below it."""
    return (path for path in folder.rglob("*") if path.is_file())


class Unavailable(Exception):
    """A contender cannot be had here, for a reason that is told."""


class WrongAnswer(Exception):
    """A contender did not answer what it was asked."""


class Contender(ABC):
    """A server, which works in a folder of its own."""

    workers = 1
    """The processes that it serves with, each of which has a core."""

    most_entries = 1_000_000
    """How many entries it is tried with: with more it takes too long to be compared."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    @property
    def dialect(self) -> str:
        """A name of how it is asked: contenders of the same one are sent the same."""
        return type(self).__name__

    @abstractmethod
    def prepare(self, entries: Sequence[TodoEntry]) -> None:
        """Fill it with these entries before it runs; raises Unavailable."""

    @abstractmethod
    def launch(self, port: int) -> Launch:
        """Answer how it is started."""

    @abstractmethod
    def request(self, question: Question) -> Sent:
        """Answer how it is asked."""

    @abstractmethod
    def check(self, question: Question, answer: Answer) -> None:
        """Raise WrongAnswer unless that is the answer."""

    def files(self) -> Iterator[Path]:
        """Answer the files that it works with."""
        return files_in(self.folder)

    def stored(self) -> int:
        """Answer the bytes that it has on the disk."""
        return 0

    def import_rate(self, entries: Sequence[TodoEntry]) -> float:
        """Answer how many entries a second an import into an empty storage takes in.

        It is 0 for what has no such command.
        """
        return 0

    def helpers(self) -> Sequence[int]:
        """Answer the processes besides its own that work for it, such as a database's."""
        return []


class Found(NamedTuple):
    """An entry as it was answered, whatever its fields are called there."""

    content: str
    notes: str
    tags: Collection[str]
    done: bool


class Storing(Contender):
    """A contender that stores entries."""

    def found(self, body: bytes) -> Sequence[Found]:
        """Answer the entries in the body of an answer: a list of them, or the one."""
        told = json.loads(body)
        return [
            Found(each["content"], each["notes"], each["tags"], each["done"])
            for each in (told if isinstance(told, list) else [told])
        ]

    def check(self, question: Question, answer: Answer) -> None:
        if complaint := self._complaint(question, answer):
            asked = self.request(question)
            raise WrongAnswer(
                f"{self.name}: the answer to {asked.method} {asked.target} {complaint}:"
                f" {answer.status} {answer.body[:500]!r}"
            )

    def stored(self) -> int:
        return sum(file.stat().st_size for file in self.files())

    def _complaint(self, question: Question, answer: Answer) -> str:
        """Answer what is wrong with an answer, if anything is."""
        if answer.status not in (200, 201):
            return "is a failure"
        match question.kind:
            case Kind.CREATE:  # some answer the entry, and some its id
                return "" if answer.body else "is empty"
            case Kind.GET | Kind.PATCH:
                return _complaint_of_one(question, *self.found(answer.body))
            case _:
                return _complaint_of_list(question, self.found(answer.body))


def _complaint_of_one(question: Question, found: Found) -> str:
    if found.content != question.entry.content:
        return "is another entry"
    if question.kind is Kind.PATCH and found.notes != question.text:
        return "is what it was before"
    return ""


def _complaint_of_list(question: Question, found: Sequence[Found]) -> str:
    kind, entry, text = question
    if not 1 <= len(found) <= PAGE:
        return f"has {len(found)} entries"
    match kind:
        case Kind.FIRST | Kind.PAGE if text.endswith("content") and not _sorted(found, text):
            return "is not sorted"
        case Kind.RARE if entry.content not in [each.content for each in found]:
            return "is without the entry"
        case Kind.RARE | Kind.COMMON if not all(_matches(each, text) for each in found):
            return "has what was not searched for"
        case Kind.FILTERED if not all(text in each.tags and not each.done for each in found):
            return "has what was not asked for"
    return ""


def _sorted(found: Sequence[Found], order: str) -> bool:
    """Tell whether these are in the order of their contents, folded or not."""
    descending = order.startswith("-")
    plain = [each.content for each in found]
    folded = [fold(content)[:_SORTED_CONTENT] for content in plain]
    return any(keys == sorted(keys, reverse=descending) for keys in (plain, folded))


def _matches(found: Found, text: str) -> bool:
    texts = (found.content, found.notes, *found.tags)
    return any(fold(text) in fold(each) for each in texts)
