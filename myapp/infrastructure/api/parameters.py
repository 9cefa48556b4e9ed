"""Parameters that several operations take, read strictly: one spelling, given once."""

import re
from collections import Counter
from itertools import islice
from typing import Annotated

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import QueryParams

from myapp.domain.todo_entry_repository import PAGE_MOST
from myapp.infrastructure.api.parsed import Parsed
from myapp.infrastructure.api.problems import InputError, invalid_input, shown

_REVISION_MOST = 10**18 - 1
_ERRORS_SHOWN = 100

_REPEATABLE = {"kind", "priority", "tag"}  # where they are known: elsewhere they are refused
_NUMBER = re.compile("0|[1-9][0-9]{0,17}")


def check_given_once(query: QueryParams) -> None:
    """Raise Rejection if the query has a parameter twice that counts once."""
    counts = Counter(name for name, _ in query.multi_items())
    names = (name for name, n in counts.items() if n > 1 and name not in _REPEATABLE)
    errors = [
        InputError(detail="must be given once only", parameter=shown(name))
        for name in islice(names, _ERRORS_SHOWN)
    ]
    if errors:
        raise invalid_input(errors)


def refuse_parameters(request: Request) -> None:
    """Raise Rejection if the query has any parameter."""
    names = islice(request.query_params, _ERRORS_SHOWN)
    errors = [InputError(detail="is not known here", parameter=shown(name)) for name in names]
    if errors:
        raise invalid_input(errors)


def revision_asked_for(request: Request) -> int | None:
    """Answer the revision that the query of an entry asks for, if any; raises Rejection.

    FastAPI would take 20 to 60 microseconds to find out that there is no query.
    """
    if not request.scope["query_string"]:
        return None
    check_given_once(request.query_params)
    try:
        return _EntryParameters.model_validate(dict(request.query_params)).at
    except ValidationError as error:
        errors = [{**error, "loc": ("query", *error["loc"])} for error in error.errors()]
        raise RequestValidationError(errors) from error


def parse_revision(text: object) -> int:
    """Answer a revision of the store, 0 for none yet; raises ValueError."""
    return _whole_number(text, least=0, most=_REVISION_MOST)


def _change_revision(text: object) -> int:
    return _whole_number(text, least=1, most=_REVISION_MOST)


def _count(text: object) -> int:
    return _whole_number(text, least=1, most=PAGE_MOST)


def _flag(text: object) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _whole_number(text: object, *, least: int, most: int) -> int:
    if isinstance(text, str) and _NUMBER.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    raise ValueError(f"must be a whole number from {least} to {most:,}")


Revision = Annotated[
    int, Parsed(parse_revision, {"type": "integer", "minimum": 0, "maximum": _REVISION_MOST})
]
ChangeRevision = Annotated[
    int,
    Parsed(_change_revision, {"type": "integer", "minimum": 1, "maximum": _REVISION_MOST}),
]
Count = Annotated[int, Parsed(_count, {"type": "integer", "minimum": 1, "maximum": PAGE_MOST})]
Flag = Annotated[bool, Parsed(_flag, {"type": "boolean"})]

AT = {
    "name": "at",
    "in": "query",
    "required": False,
    "description": "A revision of the store: answer the entry as it was then.",
    "schema": {"type": "integer", "minimum": 0, "maximum": _REVISION_MOST, "title": "At"},
}
"""What the documentation says of the revision asked for."""


class _EntryParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    at: Revision | None = None
