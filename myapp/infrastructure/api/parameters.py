"""Parameters that several operations take, read strictly: one spelling, given once."""

import re
from collections import Counter
from collections.abc import Collection
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import QueryParams

from myapp.domain.todo_entry_repository import PAGE_MOST
from myapp.infrastructure.api.parsed import Parsed
from myapp.infrastructure.api.problems import InputError, refuse, shown

_REVISION_MOST = 10**18 - 1
_NUMBER = re.compile("0|[1-9][0-9]{0,17}")


def check_given_once(query: QueryParams, repeatable: Collection[str]) -> None:
    """Raise Rejection if the query has a parameter twice that counts once."""
    counts = Counter(name for name, _ in query.multi_items())
    refuse(
        InputError(detail="must be given once only", parameter=shown(name))
        for name, count in counts.items()
        if count > 1 and name not in repeatable
    )


def refuse_parameters(request: Request) -> None:
    """Raise Rejection if the query has any parameter."""
    refuse(
        InputError(detail="is not known here", parameter=shown(name))
        for name in request.query_params
    )


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


class EntryParameters(BaseModel):
    """At which revision an entry is asked for."""

    model_config = ConfigDict(extra="forbid")

    at: Revision | None = Field(
        default=None, description="A revision of the store: answer the entry as it was then."
    )
