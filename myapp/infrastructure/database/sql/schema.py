"""The tables of the SQL storage, the same on SQLite and PostgreSQL.

Times are microseconds since 1970; keys compare by code point. The index for searches is
not among them: a virtual table on SQLite, on PostgreSQL an index that needs an extension.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

SCHEMA = "0007"
"""The schema that this release needs: the number of the newest migration."""

SQLITE_SCHEMA = "0007"
"""The newest one whose migration changes anything on SQLite."""

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")
_Key = Text(collation="C").with_variant(Text(), "sqlite")


def _state() -> list[Column[Any]]:  # of many types
    """Answer the columns, for one table, of what an entry is besides its revision."""
    return [
        Column("id", Uuid, nullable=False),
        Column("content", Text, nullable=False),
        Column("notes", Text, nullable=False),
        Column("tags", Text, nullable=False),
        Column("priority", SmallInteger, nullable=False),
        Column("due", BigInteger),
        Column("due_is_day", Boolean, nullable=False),
        Column("completed_at", BigInteger),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    ]


todo_store = Table(
    "todo_store",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("entries_open", BigInteger, key="open_entries", nullable=False),
    Column("oldest_schema", Text, nullable=False),
    Column("history_begin", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="todo_store_one_row"),
)
"""One row: the last revision, how many entries there are, and who may use the tables.

Releases made for `oldest_schema` or a later one can work on these tables. All changes after
the revision `history_begin` are kept.
"""

todo_entry = Table(
    "todo_entry",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),
    *_state(),
    Column("revision", BigInteger, nullable=False),
    Column("content_key", _Key, nullable=False),
    Column("search_text", Text, nullable=False),
)
"""The entries that are there; removed ones are in todo_change only.

`number` is the revision that a row was first stored under, and never changes. `tags` are
parted by spaces.
"""

todo_entry_tag = Table(
    "todo_entry_tag",
    metadata,
    Column("tag", _Key, primary_key=True),
    Column("entry", _Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Which entries, by their numbers, carry a tag."""

todo_tag = Table(
    "todo_tag",
    metadata,
    Column("tag", _Key, primary_key=True),
    Column("folded", _Key, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("open_entries", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The tags in use, and how many entries carry each."""

todo_change = Table(
    "todo_change",
    metadata,
    Column("revision", _Number, primary_key=True, autoincrement=False),
    *_state(),
    Column("removed_at", BigInteger),
    Column("previous", BigInteger),
    Column("next", BigInteger),
)
"""The states that entries have had, each under the revision of the change that led to it.

`previous` and `next` are the revisions of the entry's states before and after. Those up to
`history_begin` are no changes any more, but the states before the first ones that are kept.
"""

todo_receipt = Table(
    "todo_receipt",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("changes", Text, nullable=False),
)
"""The requests that were carried out under a key, and what they changed, as JSON."""

_is_open = todo_entry.c.completed_at.is_(None)
_is_done = todo_entry.c.completed_at.is_not(None)

Index("todo_entry_id", todo_entry.c.id, unique=True)
for _name in ("created_at", "updated_at", "due", "priority", "content_key"):
    _order = (todo_entry.c[_name], todo_entry.c.id)
    Index(f"todo_entry_open_{_name}", *_order, postgresql_where=_is_open, sqlite_where=_is_open)
    Index(f"todo_entry_done_{_name}", *_order, postgresql_where=_is_done, sqlite_where=_is_done)
Index(
    "todo_entry_completed_at",
    todo_entry.c.completed_at,
    postgresql_where=_is_done,
    sqlite_where=_is_done,
)
Index("todo_tag_folded", todo_tag.c.folded)
_is_followed = todo_change.c.next.is_not(None)
Index("todo_change_id", todo_change.c.id, todo_change.c.revision)
Index(
    "todo_change_next",
    todo_change.c.next,
    postgresql_where=_is_followed,
    sqlite_where=_is_followed,
)
_is_removed = todo_change.c.removed_at.is_not(None) & todo_change.c.next.is_(None)
Index(
    "todo_change_removed",
    todo_change.c.id,
    postgresql_where=_is_removed,
    sqlite_where=_is_removed,
)
Index("todo_receipt_at", todo_receipt.c.at)
