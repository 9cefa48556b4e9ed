"""What all tests share."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run coroutines as the server does."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep whoever runs the tests from setting the service up by accident."""
    for name in os.environ:
        if name.startswith(("TODOAPP_", "TODO_APP_")):
            monkeypatch.delenv(name)
