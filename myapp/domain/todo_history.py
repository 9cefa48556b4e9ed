"""The history of todo entries as the domain sees it: what is kept, and how it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from myapp.domain.change import Change
from myapp.domain.errors import HistoryForgotten, InvalidValue
from myapp.domain.todo import TodoEntry


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes that follow each other, the oldest first, and where to go on after them.

    `next` is a revision: no change up to it is left out before what follows it.
    """

    changes: Sequence[Change]
    next: int

    @classmethod
    def cut(cls, changes: Sequence[Change], *, limit: int, last: int) -> Self:
        """Answer the first of all changes that come next, or of one more than the limit.

        If there are no more of them, what follows begins after the store's last revision.
        """
        if len(changes) > limit:
            return cls(changes[:limit], changes[limit - 1].revision)
        return cls(changes, last)


class TodoHistory(ABC):
    """The changes of a storage, as far back as they are kept, in the order they were made.

    A revision before which nothing is kept raises HistoryForgotten. Any call may raise
    StorageUnavailable.
    """

    @abstractmethod
    async def revision(self) -> int:
        """Answer the last revision whose change can be read; cheap, to be asked often."""

    @abstractmethod
    async def changes(self, since: int, *, limit: int) -> ChangePage:
        """Answer the first changes after a revision, so many at most.

        Raises InvalidValue for one that the store has not reached yet.
        """

    @abstractmethod
    async def changes_of(
        self, entry_id: UUID, *, since: int | None = None, limit: int
    ) -> ChangePage:
        """Answer the first changes of one entry after a revision, or of all that are kept.

        Raises TodoEntryNotFound where there is no entry and no change of one, and
        InvalidValue as `changes` does.
        """

    @abstractmethod
    async def change(self, revision: int) -> Change:
        """Answer the change under a revision; raises ChangeNotFound if there is none."""

    @abstractmethod
    async def entry_at(self, entry_id: UUID, revision: int) -> TodoEntry:
        """Answer an entry as it was once the store had reached a revision.

        Raises TodoEntryNotFound if it was not there then, and InvalidValue as `changes`.
        """

    @abstractmethod
    async def forget(self, *, keep: int, receipts_before: datetime) -> None:
        """Drop what is no longer needed: changes but the last so many, and old receipts.

        The state before each change that is kept is kept besides. Entries that are there lose
        nothing, and no more do younger receipts, which have what they tell of themselves.
        """


def check_kept(field: str, revision: int, *, begin: int, last: int) -> None:
    """Raise what a history raises for a revision that lies outside of it.

    It is kept from the revision `begin` on, and the store has reached the revision `last`.
    """
    if revision > last:
        raise InvalidValue(field, f"must not be beyond the store's revision, {last}")
    if revision < begin:
        raise HistoryForgotten(revision, begin)
