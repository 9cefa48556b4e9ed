"""What whoever runs the service may set about a storage besides its URL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """How a process uses a database; a pickle storage has no use for any of it.

    `pool_size` is the number of connections at most. Times are in seconds: how long a
    statement may take (on SQLite: may wait for other processes), and how long connecting
    may take, or waiting for a connection to be free. A statement_timeout of 0 is none.
    """

    pool_size: int = 10
    statement_timeout: float = 10.0
    connection_timeout: float = 5.0
