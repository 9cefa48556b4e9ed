"""The command line: `myapp`, or `python -m myapp`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from myapp import app as application
from myapp.infrastructure.database import pickle_salvage
from myapp.infrastructure.database.errors import StorageOpeningError
from myapp.infrastructure.database.storage import pickle_folder
from myapp.settings import InvalidSettings, load_settings

main = typer.Typer(
    name="myapp", help="A todo service.", no_args_is_help=True, add_completion=False
)
storage = typer.Typer(help="Look after the storage.", no_args_is_help=True)
main.add_typer(storage, name="storage")

Folder = Annotated[
    Path | None,
    typer.Argument(
        help="The folder of a pickle storage; left out, the one the settings name.",
        show_default=False,
    ),
]


@main.command()
def serve() -> None:
    """Serve the todos, as TODOAPP_* variables or a file .env say."""
    application.main()


@storage.command()
def check(folder: Folder = None) -> None:
    """Read everything and say whether it is whole; changes nothing."""
    with _explained():
        report = pickle_salvage.check(_folder(folder))
        _tell(report)
        if report.unreadable:
            print(
                f"It ends in {report.unreadable:,} bytes of a write that is under way, or was"
                " never acknowledged: then the next start moves them to a file of their own."
            )


@storage.command()
def salvage(folder: Folder = None) -> None:
    """Put a new journal with every readable entry in the place of a damaged one."""
    with _explained():
        report, old = pickle_salvage.salvage(_folder(folder))
        _tell(report)
        print(f"{report.unreadable:,} bytes could not be read; the old journal is {old}")


def _tell(report: pickle_salvage.Report) -> None:
    noun = "entry" if report.entries == 1 else "entries"
    print(f"{report.path}: {report.entries:,} {noun}, revision {report.revision}")


def _folder(folder: Path | None) -> Path:
    return folder or pickle_folder(load_settings().storage)


@contextmanager
def _explained() -> Iterator[None]:
    """Tell what went wrong in a line on standard error, and exit with 1."""
    try:
        yield
    except (InvalidSettings, StorageOpeningError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
