"""Each order in two indexes, of what is open and of what is done, and none of all entries.

So an entry stands once in each order, instead of twice while it is open. A list of all entries
is read from both.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_SORTED = ("created_at", "updated_at", "due", "priority", "content_key")
_IS_DONE = sa.text("completed_at IS NOT NULL")


def upgrade() -> None:
    """Make the indexes of what is done, and drop those of all.

    Older releases go on: they sort what they find where the index of an order is gone.
    """
    for column in _SORTED:
        op.create_index(
            f"todo_entry_done_{column}",
            "todo_entry",
            [column, "id"],
            postgresql_where=_IS_DONE,
            sqlite_where=_IS_DONE,
        )
    for column in _SORTED:  # last, since readers of PostgreSQL wait from here on
        op.drop_index(f"todo_entry_{column}", "todo_entry")


def downgrade() -> None:
    """Make the indexes of all entries, and drop those of what is done."""
    for column in _SORTED:
        op.create_index(f"todo_entry_{column}", "todo_entry", [column, "id"])
        op.drop_index(f"todo_entry_done_{column}", "todo_entry")
