"""The programs beside Python that tests need, and what else a machine may not offer."""

import os
from shutil import which
from typing import NoReturn

import pytest


def required_program(*names: str) -> str:
    """Answer the path of the first program there is; without any, skip, or in CI fail."""
    for name in names:
        if path := which(name):
            return path
    unavailable(f"needs {' or '.join(names)}, which is not installed")


def unavailable(reason: str) -> NoReturn:
    """Skip the test for what the machine does not offer; in CI fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
