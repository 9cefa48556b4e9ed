"""Cursors: a position in an order, as an opaque text that only fits its own query."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta
from msgspec.json import Decoder, Encoder

from myapp.domain.todo import Priority
from myapp.domain.todo_entry_repository import Position, Sort, TodoQuery

_UNKNOWN = "must be a cursor that a page of the same query gave"

_Moment = Annotated[datetime, Meta(tz=True)]
_Rank = Annotated[int, Meta(ge=0, lt=len(Priority))]
_MOMENT = Decoder(tuple[str, _Moment, UUID])
_DECODERS: dict[Sort, Decoder[Any]] = {  # of keys as different as the orders
    Sort.CREATED: _MOMENT,
    Sort.UPDATED: _MOMENT,
    Sort.DUE: Decoder(tuple[str, _Moment | None, UUID]),
    Sort.PRIORITY: Decoder(tuple[str, _Rank, UUID]),
    Sort.CONTENT: Decoder(tuple[str, str, UUID]),
}
_encode = Encoder(uuid_format="hex").encode


def fingerprint(query: TodoQuery) -> str:
    """Answer what tells queries apart: their conditions and order, not how much they ask."""
    told = (
        query.search,
        tuple(sorted(query.tags)),
        query.done,
        tuple(sorted(query.priorities)),
        query.due_before,
        query.due_after,
        query.completed_before,
        query.completed_after,
        query.sort.value,
        query.descending,
    )
    return blake2b(repr(told).encode("utf-8"), digest_size=8).hexdigest()


def encode_cursor(position: Position, of_query: str) -> str:
    """Answer the text of a position in the order of the query with this fingerprint."""
    content = _encode((of_query, position.key, position.id))
    return urlsafe_b64encode(content).decode("ascii").rstrip("=")


def decode_cursor(cursor: str, sort: Sort, of_query: str) -> Position:
    """Answer the position; raises ValueError unless it belongs to such a query."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        found, key, entry_id = _DECODERS[sort].decode(urlsafe_b64decode(padded))
    except ValueError as error:
        raise ValueError(_UNKNOWN) from error
    if found != of_query:
        raise ValueError(_UNKNOWN)
    return Position(key, entry_id)
