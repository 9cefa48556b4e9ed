"""A storage as its operators see it while a service uses it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from myapp.infrastructure.database.archive import Status


@dataclass(frozen=True, slots=True)
class Pool:
    """The connections of this process to a database, of which there are `size` at most.

    `timeouts` says how often somebody has waited for a free one in vain.
    """

    size: int
    in_use: int
    timeouts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """What this process does with a storage.

    `commits` says how many commits have stored so many saves together. `dead` estimates how
    many bytes are of no use any more; it and the pool are None where there is no such thing.
    """

    commits: Mapping[int, int]
    dead: int | None = None
    pool: Pool | None = None


class RunningStorage(ABC):
    """What can be asked beside the entries, at next to no cost."""

    @abstractmethod
    async def status(self) -> Status:
        """Answer what the storage holds; raises StorageUnavailable or StorageFull."""

    @abstractmethod
    def use(self) -> StorageUse:
        """Answer what this process does with it, whatever state it is in."""
