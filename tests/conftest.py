"""What all tests share."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("mutation", deadline=None, derandomize=True, max_examples=20)
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
