"""When garbage is looked for."""

import gc
from collections.abc import Iterator

import pytest

from myapp.infrastructure.garbage import collect_seldom, lasting_objects

REQUESTS, OBJECTS = 64, 50


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the collector as it was found."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_requests_that_wait_are_not_looked_at_again_and_again() -> None:
    collect_seldom()
    gc.collect()
    before = gc.get_stats()[0]["collections"]

    waiting = [[object] for _ in range(REQUESTS * OBJECTS)]

    assert len(waiting) == REQUESTS * OBJECTS
    assert gc.get_stats()[0]["collections"] == before


def test_garbage_is_found_all_the_same() -> None:
    collect_seldom()
    before = gc.get_stats()[0]["collections"]

    waiting = [[object] for _ in range(10 * REQUESTS * OBJECTS)]

    assert len(waiting) == 10 * REQUESTS * OBJECTS
    assert gc.get_stats()[0]["collections"] > before


@pytest.mark.parametrize("is_enabled", [True, False])
def test_what_lasts_is_passed_over_from_then_on(is_enabled: bool) -> None:
    (gc.enable if is_enabled else gc.disable)()
    before = gc.get_freeze_count()
    try:
        with lasting_objects():
            lasting = [[object] for _ in range(1_000)]
            assert not gc.isenabled()

        assert gc.get_freeze_count() >= before + len(lasting)
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()
