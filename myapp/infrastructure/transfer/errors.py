"""Why entries were not carried over: for operators, in one line that says what to do."""

from pathlib import Path


class TransferError(Exception):
    """Entries were not carried over, or not as they are; the message says why."""


class TransferUnproven(TransferError):
    """What arrived is not what was sent."""


class FileRefused(TransferError):
    """A file is not there to be written: it exists, or is no regular file."""


class FileChanged(TransferError):
    """Somebody wrote to a file while it was read."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(f"{path} has changed while it was read: run it again.")


class EntriesChanged(TransferError):
    """Somebody else changed entries while they were imported."""


class BackupDamaged(TransferError):
    """A backup is not as it was written, from a line on."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(
            f"{path} is no whole backup: line {line:,} {reason}. Nothing was changed."
        )
        self.path = path
        self.line = line


class BadInput(TransferError):
    """A file cannot be imported, or not all of it."""


class BadLine(ValueError):
    """A line does not hold an entry; the message names the field, if one is to blame."""
