"""The documents tell of every setting, and of none that is not there."""

import re
from pathlib import Path

import pytest

from myapp.settings import Settings

_ROOT = Path(__file__).parents[2]
_OPERATIONS = _ROOT / "docs" / "operations.md"
_OLDER = {"TODO_APP_LOG_LEVEL"}

_told_of = pytest.mark.parametrize(
    "document",
    [
        _ROOT / "README.md",
        _ROOT / "SECURITY.md",
        *sorted((_ROOT / "docs").glob("*.md")),
        *sorted((_ROOT / "deploy").iterdir()),
    ],
    ids=lambda path: path.name,
)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained(name: str) -> None:
    assert f"`TODOAPP_{name.upper()}`" in _OPERATIONS.read_text("utf-8")


@_told_of
def test_every_setting_that_is_told_of_is_there(document: Path) -> None:
    told = set(re.findall(r"TODO_?APP_[A-Z_]+[A-Z]", document.read_text("utf-8")))
    assert told - _OLDER <= {f"TODOAPP_{name.upper()}" for name in Settings.model_fields}


@_told_of
def test_every_file_that_is_linked_or_named_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    linked = re.findall(r"\]\(([\w./-]+)\)", text)
    named = re.findall(
        r"`((?:tests|docs|deploy|benchmarks|myapp|requirements)/[\w./-]+)`", text
    )
    missing = [name for name in linked if not (document.parent / name).exists()]
    missing += [name for name in named if not (_ROOT / name).exists()]
    assert not missing
