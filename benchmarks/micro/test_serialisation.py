"""What JSON takes: entries as clients read them, and bodies as clients send them."""

import json
from collections.abc import Coroutine, Sequence
from types import SimpleNamespace

from starlette.types import Message, Scope

from benchmarks.micro.measuring import Measure, group
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.api.entry_json import entries_json, entry_json
from myapp.infrastructure.api.json_body import JsonRequest
from myapp.infrastructure.api.todo_schema import TodoEntryDraft

of_a_thousand = group("JSON: a thousand entries")


@of_a_thousand
def test_write_entries(
    benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]
) -> None:
    written = benchmark(lambda: [entry_json(entry) for entry in entries])

    assert written


@group("JSON: a page of 50 entries")
def test_write_page(benchmark: Measure[bytes], entries: Sequence[TodoEntry]) -> None:
    page = benchmark(lambda: entries_json(entries[:50]))

    assert len(json.loads(page)) == 50


@of_a_thousand
def test_read_drafts(
    benchmark: Measure[Sequence[object]], entries: Sequence[TodoEntry]
) -> None:
    """From the body of a request that adds an entry to what its fields are."""
    bodies = [
        json.dumps(
            {"content": entry.content, "notes": entry.notes, "tags": entry.tags},
            ensure_ascii=False,
        ).encode("utf-8")
        for entry in entries
    ]

    drafts = benchmark(lambda: [read_draft(body) for body in bodies])

    assert drafts


def read_draft(body: bytes) -> TodoEntryDraft:
    """Answer what a client has sent, from bytes to fields."""
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"application/json")],
        "app": _APP,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return TodoEntryDraft.model_validate(answer_of(JsonRequest(scope, receive).json()))


def answer_of(coroutine: Coroutine[object, None, object]) -> object:
    """Answer what a coroutine answers that waits for nothing, without the cost of a loop."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        answer: object = ended.value
        return answer
    raise AssertionError("it waits")


_APP = SimpleNamespace(state=SimpleNamespace(max_body_bytes=1 << 20))
