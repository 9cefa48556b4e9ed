"""SQLite's indexes for searches: trigrams without their places, and words."""

import sqlite3

from alembic import op

from myapp.infrastructure.database.sql.text_search import ONE_PIECE, words_in

revision = "0003"
down_revision = "0002"

_TRIGRAMS = (
    "CREATE VIRTUAL TABLE todo_entry_search_trigrams USING fts5(search_text,"
    " content = '', detail = none, tokenize = 'trigram case_sensitive 1')"
)
_WORDS = (
    "CREATE VIRTUAL TABLE todo_entry_search_words USING fts5(words,"
    " content = '', detail = none, columnsize = 0, tokenize = 'ascii')"
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
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    driver: object = connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("only the driver of the standard library is used for SQLite")
    driver.create_function("words_in", 1, words_in, deterministic=True)
    for statement in (
        "DROP TABLE todo_entry_search",
        _TRIGRAMS,
        _WORDS,
        "INSERT INTO todo_entry_search_trigrams (rowid, search_text)"
        " SELECT number, search_text FROM todo_entry ORDER BY number",
        "INSERT INTO todo_entry_search_words (rowid, words)"
        " SELECT number, words_in(search_text) FROM todo_entry ORDER BY number",
        "UPDATE todo_store SET oldest_schema = '0003'",
    ):
        op.execute(statement)
    for one_piece in ONE_PIECE:
        op.execute(one_piece)


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
