"""The tables of the SQL storage, the same on SQLite and PostgreSQL.

Times are microseconds since 1970; keys compare by code point. The index for searches is
not among them: a virtual table on SQLite, on PostgreSQL an index that needs an extension.
"""

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

SCHEMA = "0001"
"""The schema that this release needs: the number of the newest migration."""

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")
_Key = Text(collation="C").with_variant(Text(), "sqlite")

todo_store = Table(
    "todo_store",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("open_entries", BigInteger, nullable=False),
    Column("oldest_schema", Text, nullable=False),
    CheckConstraint("id = 1", name="todo_store_one_row"),
)
"""One row: the last revision, how many entries there are, and who may use the tables.

Releases made for `oldest_schema` or a later one can work on these tables.
"""

todo_entry = Table(
    "todo_entry",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),
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
    Column("revision", BigInteger, nullable=False),
    Column("content_key", _Key, nullable=False),
    Column("search_text", Text, nullable=False),
)
"""The entries that are there; removed ones are not.

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

_is_open = todo_entry.c.completed_at.is_(None)
_is_done = todo_entry.c.completed_at.is_not(None)

Index("todo_entry_id", todo_entry.c.id, unique=True)
for _name in ("created_at", "updated_at", "due", "priority", "content_key"):
    _order = (todo_entry.c[_name], todo_entry.c.id)
    Index(f"todo_entry_{_name}", *_order)
    Index(f"todo_entry_open_{_name}", *_order, postgresql_where=_is_open, sqlite_where=_is_open)
Index(
    "todo_entry_completed_at",
    todo_entry.c.completed_at,
    postgresql_where=_is_done,
    sqlite_where=_is_done,
)
Index("todo_tag_folded", todo_tag.c.folded)
