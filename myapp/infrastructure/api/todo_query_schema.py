"""The query of a list of todo entries: its parameters, and what they ask for."""

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from myapp.domain.todo import CONTENT_MOST, Priority
from myapp.domain.todo_entry_repository import (
    PAGE_DEFAULT,
    Position,
    Sort,
    TodoQuery,
    normalise_search,
)
from myapp.infrastructure.api.cursors import decode_cursor, encode_cursor, fingerprint
from myapp.infrastructure.api.parameters import Count, Flag
from myapp.infrastructure.api.parsed import Parsed
from myapp.infrastructure.api.problems import InputError, invalid_input
from myapp.infrastructure.api.todo_schema import DATE_OR_TIME, LINES, Tag, parse_due


def _moment(text: object) -> datetime:
    return parse_due(text).moment


Search = Annotated[
    str,
    AfterValidator(normalise_search),
    WithJsonSchema({"type": "string", "maxLength": CONTENT_MOST, "pattern": LINES}),
]
Moment = Annotated[datetime, Parsed(_moment, DATE_OR_TIME)]
SortName = Literal[
    "created",
    "-created",
    "updated",
    "-updated",
    "due",
    "-due",
    "priority",
    "-priority",
    "content",
    "-content",
]


class ListParameters(BaseModel):
    """The parameters of a list, each optional, every condition given must hold."""

    model_config = ConfigDict(extra="forbid")

    search: Search = Field(
        default="",
        description="A part of the content or of the notes, or a whole tag; case does not"
        " matter (Unicode's default case folding).",
    )
    tag: list[Tag] = Field(
        default=[], description="A tag; given more than once, all must be there."
    )
    done: Flag | None = Field(default=None, description="Only done, or only open ones.")
    priority: list[Priority] = Field(
        default=[], description="A priority; given more than once, any will do."
    )
    due_before: Moment | None = Field(
        default=None, description="Due earlier than this day's end, or this moment."
    )
    due_after: Moment | None = Field(
        default=None, description="Due at this day's end, or this moment, or later."
    )
    completed_before: Moment | None = Field(
        default=None,
        description="Completed earlier than this day's end in UTC, or this moment.",
    )
    completed_after: Moment | None = Field(
        default=None,
        description="Completed at this day's end in UTC, or this moment, or later.",
    )
    sort: SortName = Field(
        default="created",
        description='The order; "-" turns it round. Ties are in the order of the ids,'
        " which is turned round too; entries without a due date come last either way.",
    )
    limit: Count = Field(default=PAGE_DEFAULT, description="Entries on a page.")
    cursor: str | None = Field(
        default=None, description="Where the page before ended: taken from its Link."
    )

    @cached_property
    def _query(self) -> TodoQuery:
        """What all pages have in common."""
        return TodoQuery(
            search=self.search,
            tags=frozenset(self.tag),
            done=self.done,
            priorities=frozenset(self.priority),
            due_before=self.due_before,
            due_after=self.due_after,
            completed_before=self.completed_before,
            completed_after=self.completed_after,
            sort=Sort(self.sort.removeprefix("-")),
            descending=self.sort.startswith("-"),
            limit=self.limit,
        )

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._query)

    def query(self, cursor: str | None, *, counted: bool) -> TodoQuery:
        """Answer what is asked for on the page of a cursor, or of the one given here.

        Raises Rejection for a cursor of another query.
        """
        query = replace(self._query, counted=True) if counted else self._query
        cursor = cursor or self.cursor
        if cursor is None:
            return query
        try:
            return query.page_after(decode_cursor(cursor, query.sort, self._fingerprint))
        except ValueError as error:
            wrong = InputError(detail=str(error), parameter="cursor")
            raise invalid_input([wrong]) from error

    def cursor_at(self, position: Position) -> str:
        """Answer the cursor of the page that begins after a position."""
        return encode_cursor(position, self._fingerprint)
