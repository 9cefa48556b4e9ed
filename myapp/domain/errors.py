"""What can go wrong with todo entries, in the words of the domain."""

from collections.abc import Collection
from uuid import UUID


class TodoError(Exception):
    """The root of every error the domain knows."""


class InvalidValue(TodoError, ValueError):
    """A value breaks a rule; `field` names where, `rule` says what would be accepted."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class TodoEntryNotFound(TodoError):
    """There is no such entry: it was never stored, or has been removed."""

    def __init__(self, entry_id: UUID) -> None:
        super().__init__(f"There is no todo entry {entry_id}.")
        self.entry_id = entry_id


class TodoEntryExists(TodoError):
    """An entry that must not be there is there."""

    def __init__(self, entry_id: UUID) -> None:
        super().__init__(f"There is a todo entry {entry_id} already.")
        self.entry_id = entry_id


class StaleTodoEntry(TodoError):
    """A change is based on another revision of an entry than the stored one."""

    def __init__(self, *entry_ids: UUID) -> None:
        names = ", ".join(map(str, entry_ids))
        super().__init__(f"The stored revision is another one for: {names}.")
        self.entry_ids: Collection[UUID] = entry_ids


class ChangeNotFound(TodoError):
    """No change was stored under this revision."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"There is no change under the revision {revision}.")
        self.revision = revision


class HistoryForgotten(TodoError):
    """What is asked for is older than the changes that are kept."""

    def __init__(self, revision: int, begin: int) -> None:
        super().__init__(
            f"The changes up to revision {begin} are no longer kept: go on from what is there"
            " now."
        )
        self.revision = revision
        self.begin = begin


class ReceiptExists(TodoError):
    """A request under this key has been carried out already."""

    def __init__(self, key: str) -> None:
        super().__init__(f"A request was carried out under the key {key!r} already.")
        self.key = key


class KeyReused(TodoError):
    """A key that has named one request comes with another."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The key {key!r} has come with another request before.")
        self.key = key


class TooManyTags(TodoError):
    """An entry carries as many tags as it may already."""

    def __init__(self, entry_id: UUID, most: int) -> None:
        super().__init__(f"The todo entry {entry_id} has {most} tags already.")
        self.entry_id = entry_id
        self.most = most


class StorageUnavailable(TodoError):
    """The storage cannot answer now; trying again after `retry_after` seconds may help."""

    def __init__(self, reason: str, *, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class StorageFull(TodoError):
    """The storage has no space for what was to be stored; what it holds is untouched."""

    def __init__(self, reason: str = "There is no space left to store anything.") -> None:
        super().__init__(reason)
