"""The programs beside Python that tests need."""

import os
import shutil

import pytest


def required_program(*names: str) -> str:
    """Answer the path of the first program there is; without any, skip, or in CI fail."""
    for name in names:
        if path := shutil.which(name):
            return path
    reason = f"needs {' or '.join(names)}, which is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
