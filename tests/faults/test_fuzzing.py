"""No file that was changed at random is read as another, or does any harm.

FUZZ_FILES sets how many files of each kind are tried: by default some hundreds, before a
release 1,000,000. FUZZ_SEED names others. What fails can be repeated, see fuzzing.py.
"""

import os
from collections.abc import Set

import pytest

from tests.faults.fuzzing import fuzz

_FILES = int(os.environ.get("FUZZ_FILES", "500"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))


@pytest.mark.parametrize(
    ("kind", "outcomes"),
    [
        ("journals", {"read: all", "read: all up to a frame", "refused: StorageDamaged"}),
        ("records", {"refused", "taken"}),
        ("jsonl", {"imported", "imported without bad lines", "nothing but bad lines"}),
        ("csv", {"imported", "imported without bad lines", "refused as a whole"}),
        ("backups", {"refused", "restored", "restored, otherwise"}),
    ],
)
def test_a_changed_file_is_read_as_it_was_or_refused(kind: str, outcomes: Set[str]) -> None:
    counts = fuzz(kind, _FILES, _SEED)
    assert counts.total() == _FILES
    assert outcomes <= counts.keys()


def test_a_payload_that_asks_for_too_much_is_refused() -> None:
    assert fuzz("bombs", 40, _SEED).total() == 40
