"""SQLite's index of trigrams without the sizes of the texts, which nobody asked for.

FTS5 keeps them in a table of its own, one row for each text: a change wrote a page more for it.
"""

from alembic import op

from myapp.infrastructure.database.sql.migrations.versions.m0003_search_words import (
    make_trigrams,
)

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the index anew; on PostgreSQL there is nothing to do.

    Older releases go on with it, but their `storage check` asks for the sizes, and fails.
    """
    _replace(sizes=False)


def downgrade() -> None:
    """Make the index that there was."""
    _replace(sizes=True)


def _replace(*, sizes: bool) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE todo_entry_search_trigrams")
        make_trigrams(sizes=sizes)
