"""The changes over HTTP: what has happened to the entries, and how it is undone."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from myapp.domain.change import Change
from myapp.infrastructure.api.change_query_schema import (
    ChangeParameters,
    EntryChangeParameters,
)
from myapp.infrastructure.api.change_schema import EXAMPLE_CHANGE, ChangeSchema
from myapp.infrastructure.api.dependencies import Service
from myapp.infrastructure.api.headers import IfNoneMatch, etag, tell_state, unless_current
from myapp.infrastructure.api.idempotency import Key
from myapp.infrastructure.api.json_route import JsonRoute
from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.parameters import ChangeRevision
from myapp.infrastructure.api.paths import Id, tell_next
from myapp.infrastructure.api.problem_types import (
    CHANGE_NOT_FOUND,
    ENTRY_CHANGED_SINCE,
    HISTORY_FORGOTTEN,
    IDEMPOTENCY_KEY_REUSED,
    INVALID_INPUT,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TODO_ENTRY_NOT_FOUND,
)
from myapp.infrastructure.api.problems import answers
from myapp.infrastructure.api.response_docs import NEXT_CHANGES, STATE, revalidated

router = APIRouter(
    route_class=JsonRoute, tags=["changes"], generate_unique_id_function=operation_id
)

_READ = (INVALID_INPUT, STORAGE_UNAVAILABLE, HISTORY_FORGOTTEN)

ChangeName = Annotated[
    ChangeRevision,
    Path(
        description="The revision of the change.",
        openapi_examples={"a revision": {"value": EXAMPLE_CHANGE["revision"]}},
    ),
]


@router.get(
    "/todo/changes",
    response_model=list[ChangeSchema],
    response_description="The changes, the oldest first; none if nothing is left for now.",
    responses={
        **revalidated(STATE | NEXT_CHANGES),
        **answers(*_READ),
    },
)
async def list_changes(
    request: Request,
    response: Response,
    service: Service,
    parameters: Annotated[ChangeParameters, Query()],
    if_none_match: IfNoneMatch = None,
) -> Sequence[Change] | Response:
    """List what has changed after a revision, the oldest first.

    To follow all that happens, read the list (`GET /todo`), then the changes after the
    revision that is its `ETag`, then again and again what `Link` leads to. Entries that were
    removed are told of, too. 410 means that changes that old are not kept: read the list again.
    """
    page = await service.get_changes(parameters.since, limit=parameters.limit)
    tell_state(response, etag(page.next))
    tell_next(response, request, "/todo/changes", since=page.next)
    return unless_current(if_none_match, response, page.changes)


@router.get(
    "/todo/{id:entry}/changes",
    response_model=list[ChangeSchema],
    response_description="The entry's changes, the oldest first.",
    responses={
        **revalidated(STATE | NEXT_CHANGES),
        **answers(*_READ, TODO_ENTRY_NOT_FOUND),
    },
)
async def list_changes_of_entry(
    request: Request,
    response: Response,
    service: Service,
    id: Id,
    parameters: Annotated[EntryChangeParameters, Query()],
    if_none_match: IfNoneMatch = None,
) -> Sequence[Change] | Response:
    """List what has become of an entry, the oldest change first.

    An entry that was removed has its history, too, as long as that is kept.
    """
    page = await service.get_changes_of(id, since=parameters.since, limit=parameters.limit)
    # Where the history of an entry begins moves on, though nothing is stored meanwhile.
    begin = page.changes[0].revision if page.changes else page.next
    tell_state(response, f'"{begin}-{page.next}"')
    tell_next(response, request, f"/todo/{id}/changes", since=page.next)
    return unless_current(if_none_match, response, page.changes)


@router.post(
    "/todo/changes/{revision}/undo",
    response_model=ChangeSchema,
    response_description="The new change.",
    responses=answers(
        *_READ,
        STORAGE_FULL,
        CHANGE_NOT_FOUND,
        ENTRY_CHANGED_SINCE,
        IDEMPOTENCY_KEY_REUSED,
    ),
)
async def undo_change(service: Service, revision: ChangeName, key: Key) -> Change:
    """Give an entry the state back that it had before a change.

    That is a new change, which is answered, and which can be undone as well. Undoing a
    removal restores the entry; undoing its creation removes it. If the entry has been
    changed again since, nothing is done.
    """
    return await service.undo(revision, key=key)
