"""Indexes for phrases in the place of those of words: with more of what is next to each word.

Where most words begin alike one character of the next one says little: for a phrase of Arabic
words two hundred times as many entries had to be looked at as have it.
"""

from alembic import op

from myapp.infrastructure.database.sql.migrations.versions.m0003_search_words import (
    give_sqlite,
    make_words,
)
from myapp.infrastructure.database.sql.migrations.versions.m0004_words_on_postgresql import (
    WORDS_IN,
    WORDS_INDEX,
)
from myapp.infrastructure.database.sql.text_search import words_in

revision = "0005"
down_revision = "0004"

_ON_SQLITE = (
    "CREATE VIRTUAL TABLE todo_entry_search_phrases USING fts5(words,"
    " content = '', detail = none, columnsize = 0, tokenize = 'ascii')",
    "INSERT INTO todo_entry_search_phrases (rowid, words)"
    " SELECT number, words_in(search_text) FROM todo_entry ORDER BY number",
    "INSERT INTO todo_entry_search_phrases (todo_entry_search_phrases) VALUES ('optimize')",
    "DROP TABLE todo_entry_search_words",
    "UPDATE todo_store SET oldest_schema = '0005'",
)
_WORDS_IN = """
CREATE OR REPLACE FUNCTION todo_words_in(searched text) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    words text[] := string_to_array(searched, ' ');
    last integer := cardinality(words);
    found integer[] := '{}';
BEGIN
    IF length(words[1]) < 3 THEN
        words[1] := '';
    END IF;
    IF length(words[last]) < 3 THEN
        words[last] := '';
    END IF;
    FOR i IN 2 .. last - 1 LOOP
        IF words[i - 1] <> '' AND words[i] <> '' AND words[i + 1] <> '' THEN
            found := found || hashtext(
                right(words[i - 1], 3) || ' ' || words[i] || ' ' || left(words[i + 1], 3)
            );
        END IF;
    END LOOP;
    RETURN found;
END
$$
"""
# Its list of what was added last is as short as that of the former one, see there.
_INDEX = (
    "CREATE INDEX todo_entry_search_phrases ON todo_entry"
    " USING gin (todo_words_in(search_text)) WITH (gin_pending_list_limit = 512)"
)


def upgrade() -> None:
    """Make the indexes anew.

    On SQLite older releases would not keep the new one: they may not be started any more, and
    those that run can store no text without the index that they know. On PostgreSQL they go
    on, and take more time for phrases that begin or end with short words.
    """
    if op.get_bind().dialect.name == "sqlite":
        give_sqlite(words_in)
        for statement in _ON_SQLITE:
            op.execute(statement)
    else:
        op.execute(_WORDS_IN)
        op.execute(_INDEX)
        op.execute(
            "DROP INDEX todo_entry_search_words"
        )  # last, since readers wait from here on


def downgrade() -> None:
    """Make the indexes that there were."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE todo_entry_search_phrases")
        make_words()
        op.execute("UPDATE todo_store SET oldest_schema = '0003'")
    else:
        op.execute(WORDS_IN)
        op.execute(WORDS_INDEX)
        op.execute("DROP INDEX todo_entry_search_phrases")
