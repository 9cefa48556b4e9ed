"""How the log of an SQLite file is brought back into it."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing

_ROWS_CHANGED = 4_000
"""Some 3,400 pages of the log, 14 MB, if they came in small transactions.

After a thousand pages, SQLite's default, a page that many change is written back more often:
that took sixteen clients a twelfth of their changes.
"""

_log = logging.getLogger(__name__)


def keep_log(file: sqlite3.Connection) -> None:
    """Have a connection leave the log to Checkpoints, or to who closes the file as the last."""
    file.execute("PRAGMA wal_autocheckpoint = 0")


class Checkpoints:
    """Brings back what the changes of one connection have added to the log, now and then.

    Left to itself SQLite does so after any commit, and then what others commit meanwhile may
    be lost in versions before 3.51.3, unlikely as it is (the "WAL-reset bug", section 11 of
    sqlite.org/wal.html). Here nobody can commit meanwhile: another connection, which does
    nothing else, holds the lock that is needed for that.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._rows = 0

    def make_one_if_due(self, file: sqlite3.Connection) -> None:
        """Make one after enough changes, unless somebody else is about to change something.

        It waits for nobody: what is still being read stays in the log until the next time.
        """
        rows = file.total_changes
        if rows - self._rows < _ROWS_CHANGED or file.in_transaction:
            return
        try:
            with closing(self._connect()) as other:
                other.execute("PRAGMA busy_timeout = 0")
                other.execute("BEGIN IMMEDIATE")
                file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
                return
            # What was committed is in the log, and safe there.
            _log.warning("the log is not brought back into the file yet: %s", error)
        self._rows = rows
