"""What whoever runs the service may set about a storage besides its URL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """How a process uses a database; a pickle storage has no use for any of it.

        `pool_size` is the number of connections at most. Times are in seconds: how long a
        statement may take, waiting for locks included, and how long connecting may take, or
    waiting for one of the connections to be free.
    """

    pool_size: int = 10
    statement_timeout: float = 10.0
    connection_timeout: float = 5.0
