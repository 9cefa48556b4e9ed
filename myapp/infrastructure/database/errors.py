"""Why a storage cannot be opened: for whoever starts the service, not for its clients."""

from pathlib import Path


class StorageOpeningError(Exception):
    """The storage cannot be opened; the message says why and what to do."""


class StorageInUse(StorageOpeningError):
    """Another process owns the storage."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(
            f"{folder} is in use by another process (pid {owner or 'unknown'}): stop that"
            " one, or set TODOAPP_STORAGE_DIR to another folder."
        )


class StorageDamaged(StorageOpeningError):
    """A file of the storage is damaged at an offset, in bytes."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(
            f"{path} is damaged at offset {offset}: {reason}. Nothing was changed. To keep"
            f" every entry that is still readable: myapp storage salvage {path.parent}"
        )
        self.path = path
        self.offset = offset


class UnsupportedStorage(StorageOpeningError):
    """There is no storage of this kind, or not in this version."""
