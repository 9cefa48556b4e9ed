"""What answers the same each time: how fast that is at most, and with the framework."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.service import Answer
from benchmarks.suite.contenders.contender import Contender, WrongAnswer
from benchmarks.suite.contenders.storages import PickleStorage
from benchmarks.suite.contenders.todo_service import TodoService
from benchmarks.suite.load import Sent, answers
from benchmarks.suite.processes import Launch, running
from benchmarks.suite.questions import Kind, Question, Questions, Work
from myapp.domain.todo import TodoEntry

_SAMPLE = 25


class Constant(Contender):
    """A server of `constant_apps`: as many bytes as this service answers, and nothing else."""

    def __init__(self, name: str, folder: Path, lengths: Mapping[Kind, int]) -> None:
        super().__init__(name, folder)
        self._lengths = lengths

    def prepare(self, entries: Sequence[TodoEntry]) -> None:
        """Do nothing: it has none."""

    def launch(self, port: int) -> Launch:
        module = "benchmarks.suite.contenders.constant_apps"
        arguments = [self.name, str(port), json.dumps(self._lengths)]
        return Launch([sys.executable, "-m", module, *arguments], f"/{Kind.GET}")

    def request(self, question: Question) -> Sent:
        match question.kind:
            case Kind.CREATE | Kind.PATCH:
                return Sent("POST", f"/{question.kind}", b"{}")
            case kind:
                return Sent("GET", f"/{kind}")

    def check(self, question: Question, answer: Answer) -> None:
        length = self._lengths[question.kind]
        if answer.status != 200 or len(answer.body) != length:
            raise WrongAnswer(f"{self.name}: {len(answer.body)} bytes instead of {length}")


def usual_lengths(entries: Sequence[TodoEntry], folder: Path, core: int) -> Mapping[Kind, int]:
    """Answer how many bytes this service usually answers when it has these entries."""
    folder.mkdir()
    service = TodoService("lengths", folder, PickleStorage)
    service.prepare(entries)
    questions = Questions(entries)
    lengths = {}
    with running(service.launch, frozenset([core]), folder) as server:
        for kind in Kind:
            drawn = questions.draw(Work(kind, kind, {kind: 1}), 0, _SAMPLE)
            sent = [service.request(question) for question in drawn]
            answered = asyncio.run(answers(server.port, sent))
            lengths[kind] = int(median(len(answer.body) for answer, _ in answered))
    return lengths
