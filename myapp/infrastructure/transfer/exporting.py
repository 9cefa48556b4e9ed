"""All entries of a storage as a file that other programs read."""

from collections.abc import Callable
from pathlib import Path

from myapp.infrastructure.database.archive import Archive
from myapp.infrastructure.transfer.entry_lines import encode_unnumbered, restored
from myapp.infrastructure.transfer.errors import BadLine, TransferUnproven
from myapp.infrastructure.transfer.fingerprint import Fingerprint, Fingerprinter
from myapp.infrastructure.transfer.formats import Format
from myapp.infrastructure.transfer.input_file import InputFile
from myapp.infrastructure.transfer.partial_file import partial_file
from myapp.infrastructure.transfer.streams import Progress, batches_of, entries_of


async def export(
    source: Archive, write: Callable[[bytes], object], format: Format, progress: Progress
) -> Fingerprint:
    """Write all entries in the order of their ids, and answer their fingerprint.

    Revisions are written, but do not count: they belong to one storage only.
    """
    fingerprinter = Fingerprinter(encode_unnumbered)
    async with source.snapshot() as snapshot:
        write(format.heading)
        read = entries_of(snapshot, "exporting", progress)
        async for batch in fingerprinter.watch(read):
            write(b"".join(map(format.encode, batch)))
    return fingerprinter.fingerprint


async def export_file(
    source: Archive, path: Path, format: Format, progress: Progress
) -> Fingerprint:
    """Export to a file, which is there, or replaced, only once it was read again.

    Raises FileRefused, and TransferUnproven if it does not hold what was written.
    """
    with partial_file(path, force=True, apart_from=source.files) as partial:
        sent = await export(source, partial.write, format, progress)
        partial.sync()
        arrived = await _read_again(partial.path, format, sent.entries, progress)
        if arrived != sent:
            raise TransferUnproven(f"The file holds {arrived}, not {sent}.")
    return sent


async def _read_again(
    path: Path, format: Format, count: int, progress: Progress
) -> Fingerprint:
    fingerprinter = Fingerprinter(encode_unnumbered)
    progress("reading again", 0, count)
    with path.open("rb") as file:
        records = InputFile(file, path.name, format).records()
        async for batch in batches_of(records):
            for record in batch:
                try:
                    fingerprinter.add(restored(record.told()))
                except BadLine as flaw:
                    line = f"line {record.number:,} {flaw}"
                    raise TransferUnproven(f"The file does not hold an entry: {line}") from flaw
            progress("reading again", fingerprinter.fingerprint.entries, count)
    return fingerprinter.fingerprint
