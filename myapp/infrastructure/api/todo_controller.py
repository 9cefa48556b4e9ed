"""The todo entries over HTTP: requests become use cases, what they answer a response."""

from collections.abc import Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import TagUse
from myapp.infrastructure.api.cursors import encode_cursor
from myapp.infrastructure.api.dependencies import Service
from myapp.infrastructure.api.headers import (
    COUNT_EXACT,
    NO_CACHE,
    RETURN_REPRESENTATION,
    Conditional,
    EntityTags,
    IfNoneMatch,
    Preferences,
    etag,
)
from myapp.infrastructure.api.json_body import MERGE_PATCH, JsonRoute
from myapp.infrastructure.api.problems import (
    CONTENT_TOO_LARGE,
    INVALID_INPUT,
    NOT_FOUND,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TODO_ENTRY_CHANGED,
    TODO_ENTRY_EXISTS,
    TODO_ENTRY_NOT_FOUND,
    TOO_MANY_TAGS,
    UNSUPPORTED_MEDIA_TYPE,
    answers,
)
from myapp.infrastructure.api.response_docs import (
    ETAG,
    LINK,
    LOCATION,
    NOT_MODIFIED,
    PATCH_SCHEMA,
    PREFERENCE_APPLIED,
    TOTAL_COUNT,
)
from myapp.infrastructure.api.todo_query_schema import ListParameters, list_parameters
from myapp.infrastructure.api.todo_schema import (
    EXAMPLE_ENTRY,
    EXAMPLE_ID,
    EntryId,
    Tag,
    TagUseSchema,
    TodoEntryDraft,
    TodoEntryPatch,
    TodoEntryReplacement,
    TodoEntrySchema,
)

router = APIRouter(route_class=JsonRoute, tags=["todo"])

_ADDED = {
    "the id": {"value": EXAMPLE_ID},
    f"with Prefer: {RETURN_REPRESENTATION}": {"value": EXAMPLE_ENTRY},
}
_READ = (INVALID_INPUT, STORAGE_UNAVAILABLE)
_WRITE = (*_READ, STORAGE_FULL)
_BODY = (CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)
_CONDITION = (TODO_ENTRY_CHANGED, TODO_ENTRY_EXISTS)
_CHANGE = (*_WRITE, *_CONDITION, TODO_ENTRY_NOT_FOUND)


Id = Annotated[
    EntryId,
    Path(description="The entry's id.", openapi_examples={"an id": {"value": EXAMPLE_ID}}),
]
Answer = TypeVar("Answer")
TagName = Annotated[
    Tag, Path(description="The tag.", openapi_examples={"a tag": {"value": "home"}})
]


@router.get(
    "/todo",
    response_model=list[TodoEntrySchema],
    response_description="A page of entries.",
    responses={
        200: {"headers": ETAG | LINK | TOTAL_COUNT | PREFERENCE_APPLIED},
        304: NOT_MODIFIED,
        **answers(*_READ),
    },
)
@router.get("/todo/", response_model=list[TodoEntrySchema], include_in_schema=False)
async def list_entries(
    request: Request,
    response: Response,
    service: Service,
    parameters: Annotated[ListParameters, Depends(list_parameters)],
    prefer: Preferences,
    if_none_match: IfNoneMatch = None,
) -> Sequence[TodoEntry] | Response:
    """List the entries that match, a page at a time.

    More to come: `Link` has the URL of the next page. Paging is by key: no entry is
    repeated or left out because others come and go meanwhile. The `ETag` is the store's
    revision; with it in `If-None-Match`, 304 says that nothing at all has changed. With
    `Prefer: count=exact`, `Total-Count` is the number of entries on all pages.
    """
    query = parameters.query(counted=COUNT_EXACT in prefer)
    page = await service.find_entries(query)
    response.headers.update({"ETag": etag(page.revision), "Cache-Control": NO_CACHE})
    if page.next is not None:
        url = _next_url(request, encode_cursor(page.next, query))
        response.headers["Link"] = f'<{url}>; rel="next"'
    if page.total is not None:
        response.headers["Total-Count"] = str(page.total)
        response.headers["Preference-Applied"] = COUNT_EXACT
    return _unless_current(if_none_match, response, page.entries)


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
        **answers(*_WRITE, *_BODY),
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
) -> UUID | TodoEntry:
    """Add an entry and answer its id, or with `Prefer: return=representation` the entry."""
    entry = await service.add_entry(draft.content, done=draft.done, **draft.fields())
    response.headers.update(
        {"ETag": etag(entry.revision), "Location": _url(request, f"/todo/{entry.id}")}
    )
    if RETURN_REPRESENTATION not in prefer:
        return entry.id
    response.headers["Preference-Applied"] = RETURN_REPRESENTATION
    return entry


@router.get(
    "/todo/{id}",
    response_model=TodoEntrySchema,
    response_description="The entry.",
    responses={
        200: {"headers": ETAG},
        304: NOT_MODIFIED,
        **answers(*_READ, TODO_ENTRY_NOT_FOUND),
    },
)
async def get_entry(
    response: Response, service: Service, id: Id, if_none_match: IfNoneMatch = None
) -> TodoEntry | Response:
    """Answer the entry."""
    entry = await service.get_entry(id)
    response.headers.update({"ETag": etag(entry.revision), "Cache-Control": NO_CACHE})
    return _unless_current(if_none_match, response, entry)


@router.put(
    "/todo/{id}",
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
        response.headers["Location"] = _url(request, f"/todo/{id}")
    return after


@router.patch(
    "/todo/{id}",
    response_model=TodoEntrySchema,
    response_description="The entry, changed or as it was.",
    responses={200: {"headers": ETAG}, **answers(*_CHANGE, *_BODY)},
    openapi_extra={"requestBody": {"content": {"application/json": PATCH_SCHEMA}}},
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
    "/todo/{id}",
    status_code=204,
    response_class=Response,
    response_description="The entry is removed.",
    responses=answers(*_CHANGE),
)
async def remove_entry(service: Service, id: Id, condition: Conditional) -> None:
    """Remove the entry."""
    await service.remove_entry(id, condition=condition)


@router.put(
    "/todo/{id}/tags/{tag:path}",
    response_model=TodoEntrySchema,
    response_description="The entry, changed or as it was.",
    responses=answers(*_CHANGE, TOO_MANY_TAGS),
)
async def add_tag(service: Service, id: Id, tag: TagName, condition: Conditional) -> TodoEntry:
    """Put the tag on the entry; repeating it changes nothing."""
    return await service.add_tag(id, tag, condition=condition)


@router.delete(
    "/todo/{id}/tags/{tag:path}",
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
    responses={200: {"headers": ETAG}, 304: NOT_MODIFIED, **answers(*_READ)},
)
async def list_tags(
    response: Response, service: Service, if_none_match: IfNoneMatch = None
) -> Sequence[TagUse] | Response:
    """List every tag in use, with its number of open entries and of all."""
    tags = await service.get_tags()
    digest = blake2b(repr(tags).encode("utf-8"), digest_size=8).hexdigest()
    response.headers.update({"ETag": f'"{digest}"', "Cache-Control": NO_CACHE})
    return _unless_current(if_none_match, response, tags)


def _unless_current(
    listed: EntityTags | None, response: Response, answer: Answer
) -> Answer | Response:
    """Answer 304 with the same headers if the client has what their ETag stands for."""
    if listed is None or not listed.includes(response.headers["ETag"]):
        return answer
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=response.headers)


def _next_url(request: Request, cursor: str) -> str:
    parameters = request.query_params.multi_items()
    others = [(name, value) for name, value in parameters if name != "cursor"]
    return _url(request, f"/todo?{urlencode([*others, ('cursor', cursor)])}")


def _url(request: Request, path: str) -> str:
    """Answer the URL of a path, relative to the host and behind the prefix, if any."""
    prefix: str = request.scope.get("root_path", "")
    return prefix + path
