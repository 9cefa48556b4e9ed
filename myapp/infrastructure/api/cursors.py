"""Cursors: a position in an order, as an opaque text that only fits its own query."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from myapp.domain.todo import Priority
from myapp.domain.todo_entry_repository import Position, Sort, SortKey, TodoQuery

_QUERIES_REMEMBERED = 256
_UNKNOWN = "must be a cursor that a page of the same query gave"


def encode_cursor(position: Position, query: TodoQuery) -> str:
    """Answer the text of a position in the order of this query."""
    key = position.key
    if isinstance(key, datetime):
        key = key.isoformat()
    content = json.dumps([_fingerprint(query), key, position.id.hex])
    return urlsafe_b64encode(content.encode("ascii")).decode("ascii").rstrip("=")


def decode_cursor(cursor: str, query: TodoQuery) -> Position:
    """Answer the position; raises ValueError unless it belongs to such a query."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        fingerprint, key, entry_id = json.loads(urlsafe_b64decode(padded))
        position = Position(_key(key, query.sort), UUID(hex=entry_id))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(_UNKNOWN) from error
    if fingerprint != _fingerprint(query):
        raise ValueError(_UNKNOWN)
    return position


def _key(key: object, sort: Sort) -> SortKey:
    """Answer the key of an order from what JSON made of it; raises ValueError."""
    match sort, key:
        case Sort.DUE, None:
            return None
        case (Sort.CREATED | Sort.UPDATED | Sort.DUE), str():
            return _moment(key)
        case Sort.PRIORITY, int() if 0 <= key < len(Priority):
            return key
        case Sort.CONTENT, str():
            key.encode("utf-8")
            return key
    raise ValueError(_UNKNOWN)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(_UNKNOWN)
    return moment


def _fingerprint(query: TodoQuery) -> str:
    """Tell queries apart by their conditions and their order, not by how much they ask."""
    return _digest(
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


@lru_cache(_QUERIES_REMEMBERED)
def _digest(*told: object) -> str:
    return blake2b(repr(told).encode("utf-8"), digest_size=8).hexdigest()
