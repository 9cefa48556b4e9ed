"""The changes as server-sent events over HTTP: which ones, and where to begin."""

import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from myapp.domain.change import ChangeKind
from myapp.domain.errors import InvalidValue
from myapp.infrastructure.api.change_schema import EXAMPLE_CHANGE
from myapp.infrastructure.api.dependencies import Streams
from myapp.infrastructure.api.event_stream import EventFilter, EventStream
from myapp.infrastructure.api.json_route import JsonRoute
from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.parameters import Revision, parse_revision
from myapp.infrastructure.api.parsed import Parsed
from myapp.infrastructure.api.problem_types import INVALID_INPUT, STORAGE_UNAVAILABLE
from myapp.infrastructure.api.problems import InputError, answers, invalid_input
from myapp.infrastructure.api.response_docs import NO_STORE
from myapp.infrastructure.api.todo_schema import Tag

router = APIRouter(
    route_class=JsonRoute, tags=["changes"], generate_unique_id_function=operation_id
)

_LAST_EVENT_ID = "Last-Event-ID"
_EXAMPLE = (
    ": heartbeat\nid: 16\n\n"
    f"id: 17\nevent: completed\ndata: {json.dumps(EXAMPLE_CHANGE, separators=(',', ':'))}\n\n"
)


def _parse_last_event_id(lines: Sequence[str]) -> int:
    """Answer the revision that the only line of the field has; raises ValueError."""
    if len(lines) != 1:
        raise ValueError("must be given once only")
    return parse_revision(lines[0])


class EventParameters(BaseModel):
    """Which changes are told of, and after which revision."""

    model_config = ConfigDict(extra="forbid")

    kind: list[ChangeKind] = Field(
        default=[], description="A kind of change; given more than once, any will do."
    )
    tag: list[Tag] = Field(
        default=[],
        description="A tag that the entry has after the change, or had before; given more"
        " than once, any will do.",
    )
    since: Revision | None = Field(
        default=None,
        description="A revision, such as the ETag of a list: begin after it; left out, with"
        f" what happens from now on. {_LAST_EVENT_ID} outranks it.",
    )


LastEventId = Annotated[
    int | None,
    Parsed(
        _parse_last_event_id,
        {"type": "string", "pattern": "^(0|[1-9][0-9]{0,17})$", "examples": ["17"]},
    ),
    Header(
        alias=_LAST_EVENT_ID,
        description="The id of the last event that the client has got: go on after it. A"
        " browser sends it by itself when it comes again.",
    ),
]


@router.get(
    "/todo/events",
    status_code=200,  # which FastAPI looks for in the class
    response_class=EventStream,
    response_description="The events, as they happen, without end.",
    responses={
        200: {
            "headers": NO_STORE,
            "content": {
                EventStream.media_type: {"schema": {"type": "string"}, "example": _EXAMPLE}
            },
        },
        **answers(INVALID_INPUT, STORAGE_UNAVAILABLE),
    },
)
async def follow_changes(
    streams: Streams,
    parameters: Annotated[EventParameters, Query()],
    last_event_id: LastEventId = None,
) -> EventStream:
    """Follow what changes, as server-sent events.

    Every change is one event: its `id` is the revision, its type the kind of the change,
    its data the change as `GET /todo/changes` has it. Comments tell now and then that the
    connection lives, with the newest id, so that a client that comes again goes on from there.

    An event `reset` says that the changes since the client's last id are not kept: read the
    list again (`GET /todo`); what follows goes on from the event's id. Whoever does not read
    is cut off, and may come again.
    """
    wanted = EventFilter(kinds=frozenset(parameters.kind), tags=frozenset(parameters.tag))
    if last_event_id is None:
        return await streams.open(parameters.since, wanted)
    try:
        return await streams.open(last_event_id, wanted)
    except InvalidValue as error:
        wrong = InputError(detail=error.rule, header=_LAST_EVENT_ID)
        raise invalid_input([wrong]) from error
