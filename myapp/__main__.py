"""`myapp`, or `python -m myapp`: the command line; Ctrl-C ends it even while it is imported."""

from myapp.infrastructure.garbage import lasting_objects
from myapp.infrastructure.server.signals import leaving_quietly


def main() -> None:
    """Run the command line."""
    with leaving_quietly(), lasting_objects():  # a tenth of a start less to collect
        from myapp.command_line import main as run  # which takes a while
    run()


if __name__ == "__main__":
    main()
