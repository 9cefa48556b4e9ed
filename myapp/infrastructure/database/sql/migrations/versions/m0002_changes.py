"""The history of the entries, and the receipts of requests."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; the history begins with what the store holds now.

    Older releases would store entries and tell the history nothing: they may not be started
    any more, and those that run can store nothing without the column `open_entries`.
    """
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    number = sa.Integer() if is_sqlite else sa.BigInteger()
    key = sa.Text() if is_sqlite else sa.Text(collation="C")
    begin = sa.Column("history_begin", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("todo_store", begin)
    op.execute("UPDATE todo_store SET history_begin = revision, oldest_schema = '0002'")
    op.execute("ALTER TABLE todo_store RENAME COLUMN open_entries TO entries_open")
    op.create_table(
        "todo_change",
        sa.Column("revision", number, primary_key=True, autoincrement=False),
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
        sa.Column("removed_at", sa.BigInteger),
        sa.Column("previous", sa.BigInteger),
        sa.Column("next", sa.BigInteger),
    )
    op.create_index("todo_change_id", "todo_change", ["id", "revision"])
    for name, column, condition in (
        ("todo_change_next", "next", sa.text("next IS NOT NULL")),
        ("todo_change_removed", "id", sa.text("removed_at IS NOT NULL AND next IS NULL")),
    ):
        op.create_index(
            name,
            "todo_change",
            [column],
            postgresql_where=condition,
            sqlite_where=condition,
        )
    op.create_table(
        "todo_receipt",
        sa.Column("key", key, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
    )
    op.create_index("todo_receipt_at", "todo_receipt", ["at"])


def downgrade() -> None:
    """Forget the history, and every receipt."""
    for table in ("todo_receipt", "todo_change"):
        op.drop_table(table)
    op.drop_column("todo_store", "history_begin")
    op.execute("ALTER TABLE todo_store RENAME COLUMN entries_open TO open_entries")
    op.execute("UPDATE todo_store SET oldest_schema = '0001'")
