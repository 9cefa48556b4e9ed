"""SQLite's indexes for searches: trigrams without their places, and words."""

import sqlite3
from collections.abc import Callable
from zlib import crc32

from alembic import op

revision = "0003"
down_revision = "0002"

_TRIGRAMS = (
    "CREATE VIRTUAL TABLE todo_entry_search_trigrams USING fts5(search_text,"
    " content = '', detail = none, columnsize = {sizes:d},"
    " tokenize = 'trigram case_sensitive 1')",
    "INSERT INTO todo_entry_search_trigrams (rowid, search_text)"
    " SELECT number, search_text FROM todo_entry ORDER BY number",
    "INSERT INTO todo_entry_search_trigrams (todo_entry_search_trigrams) VALUES ('optimize')",
)
_WORDS = (
    "CREATE VIRTUAL TABLE todo_entry_search_words USING fts5(words,"
    " content = '', detail = none, columnsize = 0, tokenize = 'ascii')",
    "INSERT INTO todo_entry_search_words (rowid, words)"
    " SELECT number, words_in(search_text) FROM todo_entry ORDER BY number",
    "INSERT INTO todo_entry_search_words (todo_entry_search_words) VALUES ('optimize')",
)
_FORMER = (
    "CREATE VIRTUAL TABLE todo_entry_search USING fts5(search_text, content = 'todo_entry',"
    " content_rowid = 'number', tokenize = 'trigram case_sensitive 1')"
)


def upgrade() -> None:
    """Make the indexes anew; on PostgreSQL there is nothing to do.

    Older releases would keep none of them: they may not be started any more, and those that
    run can store no text without the index that they know.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("DROP TABLE todo_entry_search")
    make_trigrams(sizes=True)
    make_words()
    op.execute("UPDATE todo_store SET oldest_schema = '0003'")


def make_trigrams(*, sizes: bool) -> None:
    """Make SQLite's index of trigrams, with the number of trigrams in each text or without."""
    for statement in _TRIGRAMS:
        op.execute(statement.format(sizes=sizes))


def make_words() -> None:
    """Make SQLite's index of words as this schema has it."""
    give_sqlite(_words_in)
    for statement in _WORDS:
        op.execute(statement)


def give_sqlite(words_in: Callable[[str], str]) -> None:
    """Let statements call a function of that name."""
    driver: object = op.get_bind().connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("only the driver of the standard library is used for SQLite")
    driver.create_function("words_in", 1, words_in, deterministic=True)


def _words_in(text: str) -> str:
    """Answer each word between two others with one character of each of these."""
    words = text.split(" ")
    return " ".join(
        f"{crc32(f'{before[-1]} {word} {after[0]}'.encode()):x}"
        for before, word, after in zip(words, words[1:], words[2:], strict=False)
        if before and word and after
    )


def downgrade() -> None:
    """Make the index that there was."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for statement in (
        "DROP TABLE todo_entry_search_words",
        "DROP TABLE todo_entry_search_trigrams",
        _FORMER,
        "INSERT INTO todo_entry_search (todo_entry_search) VALUES ('rebuild')",
        "UPDATE todo_store SET oldest_schema = '0002'",
    ):
        op.execute(statement)
