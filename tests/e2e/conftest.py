"""What all end-to-end tests share: a launcher of processes, and a service that runs."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running_server import Launcher, RunningServer, launching
from tests.programs import unavailable

_MANY = 4_096


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    """Answer what starts processes; those that still run at the end are stopped."""
    with launching(tmp_path / "launcher") as launcher:
        yield launcher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Answer the folder of a storage, not made yet, with a name that has to be quoted."""
    return tmp_path / "my todos"


@pytest.fixture
def settings(folder: Path) -> dict[str, str]:
    """Answer the settings of a service that keeps its entries in the folder."""
    return {"TODOAPP_STORAGE_DIR": str(folder)}


@pytest.fixture
def server(launcher: Launcher, settings: dict[str, str]) -> RunningServer:
    """Answer a service that runs, on an empty storage."""
    return launcher.serve(settings)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process, and those that it starts, have as many files open as may be."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != most < _MANY:
        unavailable(f"no more than {most} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))
