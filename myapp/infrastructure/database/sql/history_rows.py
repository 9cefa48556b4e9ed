"""What happens to the tables of the history when entries change, and when it is cut short."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, bindparam, delete, insert, select, update

from myapp.domain.change import Change
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.moments import to_microseconds
from myapp.infrastructure.database.sql.rows import to_change_row, to_json
from myapp.infrastructure.database.sql.schema import todo_change, todo_receipt, todo_store
from myapp.infrastructure.database.sql.statements import Values
from myapp.infrastructure.database.sql.text_search import Upkeep

_KEEP = insert(todo_change)
_FOLLOW = (
    update(todo_change)
    .where(todo_change.c.revision == bindparam("followed"))
    .values(next=bindparam("following"))
)
_RECEIVE = insert(todo_receipt)

OLD_RECEIPTS = (
    select(todo_receipt.c.key)
    .where(todo_receipt.c.at < bindparam("before"))
    .order_by(todo_receipt.c.at)
    .limit(bindparam("limit"))
)
"""Answers the keys of some receipts, the oldest of those from before a time."""

FORGET_RECEIPTS = delete(todo_receipt).where(todo_receipt.c.key.in_(OLD_RECEIPTS))
"""Drops them."""

_BEGIN = bindparam("begin", type_=BigInteger)
FORGET = (
    delete(todo_change).where(todo_change.c.next <= _BEGIN),
    delete(todo_change).where(
        todo_change.c.revision > bindparam("former"),
        todo_change.c.revision <= _BEGIN,
        todo_change.c.next.is_(None),
    ),
    update(todo_store).values(history_begin=_BEGIN),
)
"""Let the history begin later: the states before what is left of it stay."""


class HistoryRows:
    """What is to be added to the tables, gathered change by change.

    The history begins at a revision, up to which the table has the state of an entry only
    if a later one follows.
    """

    def __init__(self, begin: int) -> None:
        self._begin = begin
        self._states: list[Values] = []
        self._followed: list[Values] = []
        self._receipts: list[Values] = []

    def put(self, change: Change) -> None:
        """Keep the change, and the state before it."""
        before = change.before
        previous = None if before is None else before.revision
        self._states.append(to_change_row(change.after, previous=previous))
        if before is None:
            return
        if before.revision <= self._begin:
            self._states.append(to_change_row(before, next=change.revision))
        else:
            self._followed.append({"followed": previous, "following": change.revision})

    def put_receipt(self, receipt: Receipt, changes: Sequence[Change]) -> None:
        """Keep the receipt, with these changes."""
        self._receipts.append(
            {
                "key": receipt.key,
                "digest": receipt.digest,
                "at": to_microseconds(receipt.at),
                "changes": to_json(changes),
            }
        )

    def work(self) -> Upkeep:
        """Answer what writes all that."""
        return (
            (_FOLLOW, self._followed),
            (_KEEP, self._states),
            (_RECEIVE, self._receipts),
        )
