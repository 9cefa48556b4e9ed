"""The commands of `myapp`: serving, looking after a storage, exchanging entries."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from threading import current_thread, main_thread
from typing import Annotated, Any, BinaryIO, Literal, NoReturn, TypeVar

import typer

from myapp import app as application
from myapp.domain.errors import TodoError
from myapp.infrastructure import terminal
from myapp.infrastructure.database.archive import Archive, Status
from myapp.infrastructure.database.errors import StorageDamaged, StorageOpeningError
from myapp.infrastructure.database.pickle_salvage import Report
from myapp.infrastructure.database.pickle_salvage import salvage as salvage_journal
from myapp.infrastructure.database.storage import (
    open_archive,
    open_storage,
    pickle_folder,
    pickle_url,
)
from myapp.infrastructure.identity import utc_now
from myapp.infrastructure.server.signals import stops
from myapp.infrastructure.terminal import tell
from myapp.infrastructure.transfer import backup as backups
from myapp.infrastructure.transfer import copying, exporting
from myapp.infrastructure.transfer.copying import Arrived
from myapp.infrastructure.transfer.errors import BadInput, TransferError
from myapp.infrastructure.transfer.fingerprint import Fingerprint
from myapp.infrastructure.transfer.formats import FORMATS, Format, format_of
from myapp.infrastructure.transfer.importing import Import, Imported
from myapp.infrastructure.transfer.input_file import InputFile, rereadable
from myapp.infrastructure.transfer.streams import Progress
from myapp.settings import InvalidSettings, load_settings, masked

FAILED, FLAWED, INTERRUPTED = 1, 3, 130
"""The exit codes besides 0 and, for a command that is not one, 2."""

_FAILURES = (
    InvalidSettings,
    StorageOpeningError,
    TodoError,
    TransferError,
    OSError,
    ValueError,
)

T = TypeVar("T")

main = typer.Typer(
    name="myapp",
    help="A todo service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
storage = typer.Typer(help="Look after the storage.", no_args_is_help=True)
main.add_typer(storage, name="storage")


_SETTINGS = "left out, the one that the settings name"
_URL = f"The storage's URL; {_SETTINGS}."
_WORKERS = f"How many processes serve; {_SETTINGS.replace('one', 'number')}."
_UNFINISHED = (
    "Unfinished bytes are a write that is under way, or was never acknowledged: then the next"
    " start moves them to a file of their own."
)
_FORMAT = "Left out, what the file's name ends in, else jsonl."

Url = Annotated[str | None, typer.Argument(help=_URL, show_default=False)]
UrlOption = Annotated[str | None, typer.Option("--storage", help=_URL, show_default=False)]
BackupFile = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]
FormatName = Literal["jsonl", "csv"]
FormatOption = Annotated[
    FormatName | None, typer.Option("--format", help=_FORMAT, show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Answer one JSON object.")]


@main.command()
def serve(
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help=_WORKERS, show_default=False)
    ] = None,
) -> None:
    """Serve the todos, as TODOAPP_* variables or a file .env say."""
    application.main(workers)


@storage.command()
def status(url: Url = None, as_json: Json = False) -> None:
    """Say what the storage holds."""
    with _reported(url, as_json) as (_, archive, report):
        report |= _members(asyncio.run(archive.status()))


@storage.command()
def migrate(url: Url = None, as_json: Json = False) -> None:
    """Bring the storage to the newest schema; one that is not there yet is made."""
    with _reported(url, as_json) as (_, archive, report):
        asyncio.run(archive.migrate())
        report["schema"] = asyncio.run(archive.status()).schema


@storage.command()
def check(url: Url = None, as_json: Json = False) -> None:
    """Read everything and say whether it is whole; changes nothing.

    A folder is taken for that of a pickle storage. If something is wrong, this exits with 3.
    """
    with _reported(_url_of(url), as_json) as (_, archive, report):
        try:
            found = asyncio.run(archive.check())
        except StorageDamaged as error:
            _fail(str(error), FLAWED)
        problems, unfinished = list(found.problems), found.unfinished_bytes
        if not problems:  # else not all of it may be readable
            report |= _members(_run(lambda told: copying.arrival(archive, told)))
        report |= {"unfinished_bytes": unfinished, "problems": problems}
    if unfinished and not as_json:
        with _explained():
            terminal.say(_UNFINISHED, sys.stdout)
    if problems:
        raise typer.Exit(FLAWED)


@storage.command()
def salvage(url: Url = None, as_json: Json = False) -> None:
    """Put a new journal with every readable entry in the place of a damaged one.

    A folder is taken for that of a pickle storage. The damaged journal is kept.
    """
    with _reported(_url_of(url), as_json) as (place, _, report):
        found, old = salvage_journal(pickle_folder(place))
        report |= _members(found) | {"damaged_journal": str(old)}


@storage.command()
def copy(
    source: Annotated[str, typer.Argument(help="The URL of the storage to read.")],
    target: Annotated[str, typer.Argument(help="The URL of the empty storage to fill.")],
    as_json: Json = False,
) -> None:
    """Copy all entries, with ids, revisions and times, into an empty storage.

    All of them or, if it fails or is interrupted, none. The source may be in use. In the
    end both are compared.
    """
    with _explained():
        if source == target:
            raise ValueError("The source and the target are one storage: nothing was changed.")
        (_, read), (_, filled) = _archive(source), _archive(target)
        arrived = _run(lambda progress: copying.copy(read, filled, progress))
        places = {"source": masked(source), "target": masked(target)}
        tell({**places, **_members(arrived)}, as_json, sys.stdout)


@storage.command()
def backup(
    file: BackupFile,
    url: UrlOption = None,
    force: Annotated[bool, typer.Option(help="Replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write all entries into one file, which any storage can be restored from.

    The storage may be in use. The file is there only once it was restored into a scratch
    storage beside it, and compared.
    """
    with _reported(url, as_json) as (_, archive, report):
        now = utc_now()
        sent = _run(
            lambda told: backups.backup(archive, file, force=force, now=now, progress=told)
        )
        report |= {"file": str(file), **_members(sent)}


@storage.command()
def restore(
    file: BackupFile,
    url: UrlOption = None,
    replace: Annotated[bool, typer.Option(help="Replace what the storage holds.")] = False,
    as_json: Json = False,
) -> None:
    """Store what a backup holds, once all of it was checked, in an empty storage.

    Stop the service meanwhile. Entries keep ids, revisions and times; the revision of the
    store jumps ahead, so that no old ETag or cursor matches anything new. In the end both
    are compared; interrupted then, it has stored everything, and is run again by --replace.
    """
    with _reported(url, as_json) as (_, archive, report):
        now = utc_now()
        arrived = _run(
            lambda told: backups.restore(file, archive, replace=replace, now=now, progress=told)
        )
        report |= {"file": str(file), **_members(arrived)}


@main.command()
def export(
    file: Annotated[str, typer.Argument(help="The file; - is standard output.")] = "-",
    format: FormatOption = None,
    url: UrlOption = None,
    as_json: Json = False,
) -> None:
    """Write all entries into a file for other programs, replacing it.

    JSON Lines is an entry a line, as the API answers it. CSV has the same fields: tags are
    joined by a space, null is empty. It carries every entry, but a spreadsheet changes what
    it opens (dates, leading zeros, what looks like a formula): pass on JSON Lines instead.
    Revisions belong to one storage: they are written, but the digest is made without them.
    """
    with _reported(url, as_json, aside=file == "-") as (_, archive, report):
        chosen = _format(format, file)
        if file == "-":
            write = terminal.write
            sent = _run(lambda told: exporting.export(archive, write, chosen, told))
        else:
            path = Path(file)
            sent = _run(lambda told: exporting.export_file(archive, path, chosen, told))
        report |= {"file": file, **_members(sent)}


@main.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="The file; - is standard input.")],
    format: FormatOption = None,
    url: UrlOption = None,
    skip_bad: Annotated[bool, typer.Option(help="Import the good lines alone.")] = False,
    replace: Annotated[bool, typer.Option(help="Replace entries of the same ids.")] = False,
    as_json: Json = False,
) -> None:
    """Store the entries of a file: all, or none and exit with 3 if a line is bad.

    Of the fields that `export` writes only content is required. Entries get new revisions.
    Imported once more, a file adds and changes nothing; so an import that was interrupted
    can be run again. In CSV an empty field counts as left out; see `export` about it.
    """
    with (
        _reported(url, as_json) as (place, archive, report),
        _opened(file) as opened,
        terminal.flaws() as flawed,
    ):
        source = InputFile(opened, file, _format(format, file))

        async def run(progress: Progress) -> Imported:
            work = Import(
                source, now=utc_now(), replace=replace, flawed=flawed, progress=progress
            )
            async with open_storage(place, load_settings().storage_options) as repository:
                return await work.run(archive, repository, skip_bad=skip_bad)

        report |= {"file": file, **_members(_run(run))}


@contextmanager
def _reported(
    url: str | None, as_json: bool, *, aside: bool = False
) -> Iterator[tuple[str, Archive, dict[str, object]]]:
    """Answer a storage's URL, what it names, and what to fill: it is told in the end.

    It is told on standard error if it is to stand aside from something else.
    """
    with _explained():
        url, archive = _archive(url)
        report: dict[str, object] = {"storage": masked(url)}
        yield url, archive, report
        tell(report, as_json, sys.stderr if aside else sys.stdout)


def _archive(url: str | None) -> tuple[str, Archive]:
    """Answer the URL, or that of the settings, and what it names."""
    settings = load_settings()
    url = url or settings.storage
    return url, open_archive(url, settings.storage_options)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Answer a file that can be read several times."""
    with nullcontext(terminal.read()) if file == "-" else open(file, "rb") as stream:
        with rereadable(stream) as opened:
            yield opened


def _url_of(place: str | None) -> str | None:
    """Answer the URL of a place which may be told as the folder of a pickle storage."""
    return pickle_url(Path(place)) if place and "://" not in place else place


def _format(name: FormatName | None, file: str) -> Format:
    return FORMATS[name] if name else format_of(file)


def _members(result: Status | Arrived | Fingerprint | Imported | Report) -> dict[str, object]:
    """Answer what came of something by its names, and a fingerprint by its own."""
    members: dict[str, object] = asdict(result)
    fingerprint = members.pop("fingerprint", None)
    return members | fingerprint if isinstance(fingerprint, dict) else members


def _run(work: Callable[[Progress], Coroutine[Any, Any, T]]) -> T:
    """Do it to the end, or to Ctrl-C, and show how far it has come."""
    with terminal.progress() as progress:
        return asyncio.run(work(progress))


@contextmanager
def _explained() -> Iterator[None]:
    """Tell what went wrong in a line on standard error, and exit with the code for it.

    Whatever asks the process to end does what Ctrl-C does, so that it leaves nothing behind.
    """
    terminal.replace_closed_error()
    if current_thread() is main_thread():  # no other may say what a signal does
        for number in set(stops()) - {signal.SIGINT}:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    except KeyboardInterrupt:
        terminal.abandon(sys.stdout)
        _fail("Interrupted: run it again.", INTERRUPTED)
    except BrokenPipeError:
        _fail("Nobody reads the output any more.", FAILED)
    except BadInput as error:
        _fail(str(error), FLAWED)
    except _FAILURES as error:
        _fail(str(error), FAILED)


def _fail(line: str, code: int) -> NoReturn:
    with suppress(OSError):  # nobody reads that either
        terminal.say(line, sys.stderr)
    sys.exit(code)
