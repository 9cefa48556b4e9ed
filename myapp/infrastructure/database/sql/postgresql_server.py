"""What a PostgreSQL server has to be like, and what is said where it could be better."""

import logging

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from myapp.infrastructure.database.errors import StorageUnusable
from myapp.infrastructure.database.sql.text_search import JOINED_TEXT

_EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
_SEARCH_INDEX = (
    "CREATE INDEX todo_entry_search_joined ON todo_entry"
    f" USING gin ({JOINED_TEXT} gin_trgm_ops)"
)
_DROP_FORMER = "DROP INDEX CONCURRENTLY IF EXISTS todo_entry_search_text"
_SETTINGS = (
    "SELECT current_setting('server_encoding'), current_setting('fsync'), pg_is_in_recovery()"
)
_HAS_INDEX = "SELECT to_regclass('todo_entry_search_joined') IS NOT NULL"
_KNOWS_LETTERS = "SELECT cardinality(show_trgm('ж')) > 0"

_log = logging.getLogger(__name__)


def check_server(connection: Connection, place: str) -> None:
    """Raise StorageUnusable where nothing could be stored; warn where it could be lost."""
    encoding, fsync, is_replica = connection.exec_driver_sql(_SETTINGS).one()
    if encoding != "UTF8":
        raise StorageUnusable(place, f"its encoding is {encoding}, not UTF8")
    if is_replica:
        raise StorageUnusable(place, "it is a replica, which cannot store anything")
    if fsync == "off":
        _log.warning(
            "%s runs with fsync=off: entries that were acknowledged may be lost when its"
            " machine crashes",
            place,
        )


def warn_of_slow_searches(connection: Connection, place: str) -> None:
    """Say what keeps searches from being answered by the index of trigrams."""
    if not connection.exec_driver_sql(_HAS_INDEX).scalar_one():
        _log.warning(
            "%s has no index for searches by trigrams, so those for one or two words, or for"
            " a few short ones, read all entries: let a user who may create the extension"
            " pg_trgm run `myapp storage migrate`",
            place,
        )
    elif not connection.exec_driver_sql(_KNOWS_LETTERS).scalar_one():
        _log.warning(
            "%s knows no letters beyond ASCII (its character type is C), so searches for one"
            " or two words of others, or for a few short ones, read all entries: make the"
            " database anew with a locale like C.UTF-8",
            place,
        )


def make_search_index(connection: Connection) -> None:
    """Make the index of trigrams, unless it is there or the extension may not be created."""
    try:
        connection.exec_driver_sql(_EXTENSION)
    except DBAPIError as error:
        _log.warning("the extension pg_trgm cannot be created: %s", error.orig)
    else:
        # Even IF NOT EXISTS would wait for who drops the former one, and writers for it.
        if not connection.exec_driver_sql(_HAS_INDEX).scalar_one():
            connection.exec_driver_sql(_SEARCH_INDEX)


def drop_former_index(connection: Connection) -> None:
    """Drop what earlier releases searched by, outside of transactions, if it was replaced.

    It waits for who reads the entries, while a DROP within a transaction would let all who
    come later wait as well.
    """
    if connection.exec_driver_sql(_HAS_INDEX).scalar_one():
        connection.exec_driver_sql(_DROP_FORMER)
