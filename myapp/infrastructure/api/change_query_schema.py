"""The queries of changes: their parameters."""

from pydantic import BaseModel, ConfigDict, Field

from myapp.domain.todo_entry_repository import PAGE_DEFAULT
from myapp.infrastructure.api.parameters import Count, Revision


class EntryChangeParameters(BaseModel):
    """Which changes of one entry."""

    model_config = ConfigDict(extra="forbid")

    since: Revision | None = Field(
        default=None,
        description="Only changes after this revision; left out, all that are kept.",
    )
    limit: Count = Field(default=PAGE_DEFAULT, description="Changes in an answer.")


class ChangeParameters(EntryChangeParameters):
    """Which changes of all entries."""

    since: Revision = Field(
        default=0,
        description="Only changes after this revision: the ETag of a list, or the cursor in"
        " the Link of an answer before.",
    )
