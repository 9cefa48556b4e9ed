"""The service in a hurry to forget: it sweeps all the time, and compacts whenever it can.

`python -m tests.faults.sweeping_server` serves as `python -m myapp.app` does.
"""

from functools import partial

from pytest import MonkeyPatch

from myapp import app
from myapp.application.sweeper import sweep_regularly
from myapp.infrastructure.database import journal_writer

_SWEEP_EVERY = 0.01
_COMPACT_BEYOND = 50
_KEPT_CHANGES = 20


def main() -> None:
    """Serve until told to stop."""
    with MonkeyPatch.context() as patch:
        patch.setattr(app, "sweep_regularly", partial(sweep_regularly, every=_SWEEP_EVERY))
        patch.setenv("TODOAPP_HISTORY", f"{_KEPT_CHANGES}")
        patch.setattr(journal_writer, "_COMPACT_BEYOND", _COMPACT_BEYOND)
        app.main()


if __name__ == "__main__":
    main()
