"""Progress where there is no terminal: few lines, however much is told."""

import io

from myapp.infrastructure.terminal import SECONDS_APART, ProgressLines


def test_a_stage_is_told_when_it_begins_and_then_now_and_then() -> None:
    now = 0.0
    out = io.StringIO()
    told = ProgressLines(out, clock=lambda: now)
    for stage in ("copying", "comparing"):
        for done in range(0, 3_001, 100):
            told(stage, done, 3_000)
            now += SECONDS_APART / 20
    assert out.getvalue().splitlines() == [
        "copying: 0 of 3,000",
        "copying: 2,000 of 3,000",
        "comparing: 0 of 3,000",
        "comparing: 2,000 of 3,000",
    ]
