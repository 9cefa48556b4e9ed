"""The todo entries over HTTP: requests become use cases, what they answer a response."""

from collections.abc import Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request, Response

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TagUse
from myapp.infrastructure.api.dependencies import Service
from myapp.infrastructure.api.headers import (
    COUNT_EXACT,
    RETURN_REPRESENTATION,
    Conditional,
    IfNoneMatch,
    Preferences,
    etag,
    tell_new,
    tell_state,
    unless_current,
)
from myapp.infrastructure.api.idempotency import Key
from myapp.infrastructure.api.json_body import MERGE_PATCH
from myapp.infrastructure.api.json_route import JsonRoute
from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.parameters import EntryParameters
from myapp.infrastructure.api.paths import Id, cursor_of, tell_next, url_of
from myapp.infrastructure.api.problem_types import (
    CONTENT_TOO_LARGE,
    HISTORY_FORGOTTEN,
    IDEMPOTENCY_KEY_REUSED,
    INVALID_INPUT,
    NOT_FOUND,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TODO_ENTRY_CHANGED,
    TODO_ENTRY_EXISTS,
    TODO_ENTRY_NOT_FOUND,
    TOO_MANY_TAGS,
    UNSUPPORTED_MEDIA_TYPE,
)
from myapp.infrastructure.api.problems import answers
from myapp.infrastructure.api.response_docs import (
    ACCEPT_PATCH,
    ETAG,
    LINK,
    LOCATION,
    PATCH_SCHEMA,
    PREFERENCE_APPLIED,
    STATE,
    TOTAL_COUNT,
    revalidated,
)
from myapp.infrastructure.api.todo_query_schema import ListParameters
from myapp.infrastructure.api.todo_schema import (
    EXAMPLE_ENTRY,
    EXAMPLE_ID,
    Tag,
    TagUseSchema,
    TodoEntryDraft,
    TodoEntryPatch,
    TodoEntryReplacement,
    TodoEntrySchema,
)

router = APIRouter(
    route_class=JsonRoute, tags=["todo"], generate_unique_id_function=operation_id
)

_ADDED = {
    "the id": {"value": EXAMPLE_ID},
    f"with Prefer: {RETURN_REPRESENTATION}": {"value": EXAMPLE_ENTRY},
}
_READ = (INVALID_INPUT, STORAGE_UNAVAILABLE)
_WRITE = (*_READ, STORAGE_FULL)
_BODY = (CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)
_CONDITION = (TODO_ENTRY_CHANGED, TODO_ENTRY_EXISTS)
_CHANGE = (*_WRITE, *_CONDITION, TODO_ENTRY_NOT_FOUND)


TagName = Annotated[
    Tag, Path(description="The tag.", openapi_examples={"a tag": {"value": "home"}})
]


@router.get(
    "/todo",
    response_model=list[TodoEntrySchema],
    response_description="A page of entries.",
    responses={
        **revalidated(STATE | LINK | TOTAL_COUNT | PREFERENCE_APPLIED),
        **answers(*_READ),
    },
)
@router.get(
    "/todo/",
    response_model=list[TodoEntrySchema],
    include_in_schema=False,
)
async def list_entries(
    request: Request,
    response: Response,
    service: Service,
    parameters: Annotated[ListParameters, Query()],
    prefer: Preferences,
    if_none_match: IfNoneMatch = None,
) -> Sequence[TodoEntry] | Response:
    """List the entries that match, a page at a time.

    More to come: `Link` has the URL of the next page. Paging is by key: no entry is
    repeated or left out because others come and go meanwhile. The `ETag` is the store's
    revision; with it in `If-None-Match`, 304 says that nothing at all has changed. With
    `Prefer: count=exact`, `Total-Count` is the number of entries on all pages.
    """
    query = parameters.query(cursor_of(request), counted=COUNT_EXACT in prefer)
    page = await service.find_entries(query)
    tell_state(response, etag(page.revision))
    if page.next is not None:
        cursor = parameters.cursor_at(page.next)
        tell_next(response, request, "/todo", cursor=cursor)
    if page.total is not None:
        response.headers["Total-Count"] = str(page.total)
        response.headers["Preference-Applied"] = COUNT_EXACT
    return unless_current(if_none_match, response, page.entries)


@router.post(
    "/todo",
    status_code=201,
    response_model=UUID | TodoEntrySchema,
    response_description="The entry is stored: its id, or the entry if wished for.",
    responses={
        201: {
            "headers": ETAG | LOCATION | PREFERENCE_APPLIED,
            "content": {"application/json": {"examples": _ADDED}},
        },
        **answers(*_WRITE, *_BODY, IDEMPOTENCY_KEY_REUSED),
    },
)
@router.post(
    "/todo/",
    status_code=201,
    response_model=UUID | TodoEntrySchema,
    include_in_schema=False,
)
async def add_entry(
    request: Request,
    response: Response,
    service: Service,
    draft: TodoEntryDraft,
    prefer: Preferences,
    key: Key,
) -> UUID | TodoEntry:
    """Add an entry and answer its id, or with `Prefer: return=representation` the entry."""
    entry = await service.add_entry(draft.content, key=key, done=draft.done, **draft.fields())
    tell_new(response, etag(entry.revision), url_of(request, f"/todo/{entry.id}"))
    if RETURN_REPRESENTATION not in prefer:
        return entry.id
    response.headers["Preference-Applied"] = RETURN_REPRESENTATION
    return entry


@router.get(
    "/todo/{id:entry}",
    response_model=TodoEntrySchema,
    response_description="The entry.",
    responses={
        **revalidated(STATE),
        **answers(*_READ, TODO_ENTRY_NOT_FOUND, HISTORY_FORGOTTEN),
    },
)
async def get_entry(
    response: Response,
    service: Service,
    id: Id,
    parameters: Annotated[EntryParameters, Query()],
    if_none_match: IfNoneMatch = None,
) -> TodoEntry | Response:
    """Answer the entry, or with `at` what it was when the store had that revision."""
    entry = await service.get_entry(id, at=parameters.at)
    tell_state(response, etag(entry.revision))
    return unless_current(if_none_match, response, entry)


@router.put(
    "/todo/{id:entry}",
    response_model=TodoEntrySchema,
    responses={
        200: {"description": "The entry was there and is replaced."},
        201: {
            "description": "The entry is new.",
            "model": TodoEntrySchema,
            "headers": LOCATION,
        },
        **answers(*_WRITE, *_CONDITION, *_BODY, NOT_FOUND),
    },
)
async def put_entry(
    request: Request,
    response: Response,
    service: Service,
    id: Id,
    replacement: TodoEntryReplacement,
    condition: Conditional,
) -> TodoEntry:
    """Create the entry under an id of your choice, or replace what you may write of it.

    Safe to repeat. Fields left out take their defaults; those that the server sets are
    ignored, so that an entry can be read, edited and put back.
    """
    before, after = await service.put_entry(
        id,
        replacement.content,
        condition=condition,
        done=replacement.done,
        **replacement.fields(),
    )
    if before is None:
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = url_of(request, f"/todo/{id}")
    return after


@router.patch(
    "/todo/{id:entry}",
    response_model=TodoEntrySchema,
    response_description="The entry, changed or as it was.",
    responses={200: {"headers": ETAG}, **answers(*_CHANGE, *_BODY)},
    openapi_extra={
        "requestBody": {"content": {"application/json": PATCH_SCHEMA}},
        "responses": {"415": {"headers": ACCEPT_PATCH}},
    },
)
async def change_entry(
    response: Response,
    service: Service,
    id: Id,
    patch: Annotated[TodoEntryPatch, Body(media_type=MERGE_PATCH)],
    condition: Conditional,
) -> TodoEntry:
    """Change the fields given, by JSON merge patch (RFC 7396): null means the default."""
    entry = await service.change_entry(
        id,
        condition=condition,
        content=patch.changed_content(),
        done=patch.changed_done(),
        **patch.fields(),
    )
    response.headers["ETag"] = etag(entry.revision)
    return entry


@router.delete(
    "/todo/{id:entry}",
    status_code=204,
    response_class=Response,
    response_description="The entry is removed.",
    responses=answers(*_CHANGE),
)
async def remove_entry(service: Service, id: Id, condition: Conditional) -> None:
    """Remove the entry."""
    await service.remove_entry(id, condition=condition)


@router.put(
    "/todo/{id:entry}/tags/{tag:path}",
    response_model=TodoEntrySchema,
    response_description="The entry, changed or as it was.",
    responses=answers(*_CHANGE, TOO_MANY_TAGS),
)
async def add_tag(service: Service, id: Id, tag: TagName, condition: Conditional) -> TodoEntry:
    """Put the tag on the entry; repeating it changes nothing."""
    return await service.add_tag(id, tag, condition=condition)


@router.delete(
    "/todo/{id:entry}/tags/{tag:path}",
    response_model=TodoEntrySchema,
    response_description="The entry, changed or as it was.",
    responses=answers(*_CHANGE),
)
async def remove_tag(
    service: Service, id: Id, tag: TagName, condition: Conditional
) -> TodoEntry:
    """Take the tag off the entry; repeating it changes nothing."""
    return await service.remove_tag(id, tag, condition=condition)


@router.get(
    "/tags",
    response_model=list[TagUseSchema],
    response_description="All tags.",
    responses={**revalidated(STATE), **answers(*_READ)},
)
async def list_tags(
    response: Response, service: Service, if_none_match: IfNoneMatch = None
) -> Sequence[TagUse] | Response:
    """List every tag in use, with its number of open entries and of all."""
    tags = await service.get_tags()
    digest = blake2b(repr(tags).encode("utf-8"), digest_size=8).hexdigest()
    tell_state(response, f'"{digest}"')
    return unless_current(if_none_match, response, tags)
