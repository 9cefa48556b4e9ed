"""Why a storage cannot be opened: for whoever starts the service, not for its clients."""

import shlex
import sys
from pathlib import Path

_ELSEWHERE = "name another storage in TODOAPP_STORAGE_DIR or TODOAPP_STORAGE_URL"


class StorageOpeningError(Exception):
    """The storage cannot be opened; the message says why and what to do."""


class StorageInUse(StorageOpeningError):
    """Another process owns the storage."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(
            f"{folder} is in use by another process (pid {owner or 'unknown'}): stop that"
            f" one, or {_ELSEWHERE}."
        )


class StorageNotShareable(StorageOpeningError):
    """Several processes are to use a storage that belongs to one."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} belongs to one process at a time, and several workers cannot share it: set"
            " TODOAPP_WORKERS to 1, or copy the entries into a database and serve that:"
            f" {sys.executable} -m myapp storage copy {shlex.quote(url)} sqlite:///todo.db"
        )


class StorageDamaged(StorageOpeningError):
    """A file of the storage is damaged at an offset, in bytes."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(
            f"{path} is damaged at offset {offset}: {reason}. Nothing was changed. To keep"
            " every entry that is still readable:"
            f" {sys.executable} -m myapp storage salvage {shlex.quote(str(path.parent))}"
        )
        self.path = path
        self.offset = offset


class UnsupportedStorage(StorageOpeningError):
    """A newer release wrote the storage."""


class StorageOutdated(StorageOpeningError):
    """The tables of the storage are older than this release needs."""

    def __init__(self, place: str, schema: str | None, needed: str) -> None:
        has = "has no tables yet" if schema is None else f"has the tables of schema {schema}"
        super().__init__(
            f"{place} {has}, and this release needs schema {needed}. To bring it there, with"
            f" the same settings: {sys.executable} -m myapp storage migrate"
        )


class StorageNotEmpty(StorageOpeningError):
    """A storage that was to be filled holds entries."""

    def __init__(self, entries: int) -> None:
        noun = "entry" if entries == 1 else "entries"
        super().__init__(
            f"The storage holds {entries:,} {noun} already, and was left as it is: name one"
            " that is empty (or restore with --replace)."
        )


class StorageAhead(StorageOpeningError):
    """A storage that was to be filled has given out later revisions already."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            f"The storage has had entries before, up to revision {revision:,}, which must not"
            " be given out again: name a new one. Nothing was changed."
        )


class StorageUnusable(StorageOpeningError):
    """The system or the database does not let the storage be read or written."""

    def __init__(self, place: Path | str, error: Exception | str) -> None:
        super().__init__(f"{place} cannot be used ({error}): mend that, or {_ELSEWHERE}.")
