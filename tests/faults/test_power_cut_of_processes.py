"""Whatever a power cut leaves of the files of a process, nothing acknowledged is lost.

strace records what the process asks of its files; no privileges are needed. POWER_CUT_MOMENTS
sets after how many of its calls the power is cut (by default after some, taken at random; or
"all"), and POWER_CUT_IMAGES how many of the images are tried that each may leave.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from myapp.infrastructure.database.errors import StorageOpeningError
from tests.faults.file_storages import FILE_STORAGES, FileStorage
from tests.faults.power_cuts import Kept, check_every_moment
from tests.faults.recorded_calls import read_events
from tests.faults.recording_disk import (
    Event,
    FolderKept,
    NamesKept,
    Said,
    Synced,
    Wrote,
)
from tests.faults.staged_process import recorded
from tests.faults.stages import Stage

_MOMENTS = os.environ.get("POWER_CUT_MOMENTS", "30")
_IMAGES = int(os.environ.get("POWER_CUT_IMAGES", "2"))


@dataclass(frozen=True, slots=True)
class _Run:
    storage: FileStorage
    events: Sequence[Event]


@pytest.fixture(scope="module", params=FILE_STORAGES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Run:
    """What a process did that went through all stages of a storage in a new folder."""
    storage = FILE_STORAGES[request.param]
    place = tmp_path_factory.mktemp("recorded")
    folder, log = place / "parent" / "storage", place / "log"
    folder.parent.mkdir()
    descriptor, said = recorded(storage.url(folder), log)
    return _Run(storage, read_events(log, descriptor, said, folder))


def test_a_power_cut_after_any_call_of_a_process_loses_nothing_acknowledged(
    run: _Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = len(run.events)
    share = 1 if _MOMENTS == "all" else int(_MOMENTS) / moments
    images = asyncio.run(
        check_every_moment(
            tmp_path / "image", run.events, run.storage.opened, most=_IMAGES, share=share
        )
    )
    with capsys.disabled():
        print(f"\n{images} images, {share:.0%} of {moments} moments")


@pytest.mark.parametrize("forgotten", [Synced, NamesKept, FolderKept])
def test_a_process_that_did_not_sync_would_be_found_out(
    run: _Run, forgotten: type[Event], tmp_path: Path
) -> None:
    careless = [event for event in run.events if not isinstance(event, forgotten)]
    begin = next(number for number, event in enumerate(careless) if _is_promise(event))
    check = check_every_moment(
        tmp_path / "image", careless, run.storage.opened, begin=begin, most=4
    )
    with pytest.raises((AssertionError, StorageOpeningError)):
        asyncio.run(check)


def test_the_process_does_what_its_stages_are_named_for(run: _Run) -> None:
    written: dict[str, set[int]] = {}
    stage = "open"
    for event in run.events:
        if isinstance(event, Said) and isinstance(event.what, Stage):
            stage = event.what.name
        if isinstance(event, Wrote):
            written.setdefault(stage, set()).add(event.file)
    assert len(written["first create"]) == 1
    assert len(written["compact"]) > 1, "what was appended was not carried over to another"


def _is_promise(event: Event) -> bool:
    return isinstance(event, Said) and isinstance(event.what, Kept)
