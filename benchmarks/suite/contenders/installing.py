"""Contenders that registries have: installed beside the repository's other artifacts, once."""

import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree, which

from benchmarks.suite.contenders.contender import Unavailable
from benchmarks.suite.processes import ProcessFailed, run

_INSTALLED = Path(__file__).parents[3] / "artifacts" / "contenders"


def installed_from_pypi(requirement: str) -> Path:
    """Answer the folder of a package of Python's; raises Unavailable."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--target", "."]
    return _installed(requirement, [*command, requirement])


def installed_from_npm(requirement: str, *, before: str) -> Path:
    """Answer the folder of a package of Node's; raises Unavailable.

    It, and what it needs, is as it was before a day.
    """
    if (npm := which("npm")) is None:
        raise Unavailable("npm is not installed (on Debian and Ubuntu: apt-get install npm)")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    return _installed(requirement, [*command, "--prefix=.", f"--before={before}", requirement])


def _installed(requirement: str, command: Sequence[str]) -> Path:
    folder = _INSTALLED / requirement
    if not (folder / "installed").exists():
        rmtree(folder, ignore_errors=True)  # what may be left of an attempt
        folder.mkdir(parents=True)
        print(f"installing {requirement} into {folder}", flush=True)
        try:
            run(command, folder)
        except ProcessFailed as error:
            raise Unavailable(f"{requirement} cannot be installed: {error}") from error
        (folder / "installed").touch()
    return folder
