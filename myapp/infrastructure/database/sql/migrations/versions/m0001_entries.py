"""The entries, their tags, and the counter of revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SORTED = ("created_at", "updated_at", "due", "priority", "content_key")
_SEARCH_INDEX = (
    "CREATE VIRTUAL TABLE todo_entry_search USING fts5(search_text, content = 'todo_entry',"
    " content_rowid = 'number', tokenize = 'trigram case_sensitive 1')"
)


def upgrade() -> None:
    """Make all tables, and on SQLite the index for searches.

    On PostgreSQL that needs an extension: `postgresql_server.py` makes it if there is one.
    """
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    number = sa.Integer() if is_sqlite else sa.BigInteger()
    key = sa.Text() if is_sqlite else sa.Text(collation="C")
    store = op.create_table(
        "todo_store",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("open_entries", sa.BigInteger, nullable=False),
        sa.Column("oldest_schema", sa.Text, nullable=False),
        sa.CheckConstraint("id = 1", name="todo_store_one_row"),
    )
    first = {"id": 1, "revision": 0, "entries": 0, "open_entries": 0, "oldest_schema": "0001"}
    op.bulk_insert(store, [first])
    op.create_table(
        "todo_entry",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("due", sa.BigInteger),
        sa.Column("due_is_day", sa.Boolean, nullable=False),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content_key", key, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
    )
    op.create_index("todo_entry_id", "todo_entry", ["id"], unique=True)
    is_open, is_done = sa.text("completed_at IS NULL"), sa.text("completed_at IS NOT NULL")
    for column in _SORTED:
        op.create_index(f"todo_entry_{column}", "todo_entry", [column, "id"])
        op.create_index(
            f"todo_entry_open_{column}",
            "todo_entry",
            [column, "id"],
            postgresql_where=is_open,
            sqlite_where=is_open,
        )
    op.create_index(
        "todo_entry_completed_at",
        "todo_entry",
        ["completed_at"],
        postgresql_where=is_done,
        sqlite_where=is_done,
    )
    op.create_table(
        "todo_entry_tag",
        sa.Column("tag", key, primary_key=True),
        sa.Column("entry", number, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "todo_tag",
        sa.Column("tag", key, primary_key=True),
        sa.Column("folded", key, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("open_entries", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("todo_tag_folded", "todo_tag", ["folded"])
    if is_sqlite:
        op.execute(_SEARCH_INDEX)


def downgrade() -> None:
    """Remove all tables, with what they hold."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE todo_entry_search")
    for table in ("todo_tag", "todo_entry_tag", "todo_entry", "todo_store"):
        op.drop_table(table)
