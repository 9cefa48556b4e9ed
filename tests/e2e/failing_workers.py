"""Two workers, of which the second cannot start; a process of its own."""

import signal
import socket
import sys

from myapp.infrastructure.server.supervisor import Tell, WorkerCannotStart, supervise


def work(number: int, tell: Tell) -> None:
    """Wait for the end, if there is a place to do so."""
    if number == 2:
        tell("There is no place for two.")
        return
    tell(None)
    while True:
        signal.pause()


def started() -> None:
    """Say so."""
    print("All have started.")


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            supervise(work, listener, workers=2, started=started)
        except WorkerCannotStart as error:
            sys.exit(str(error))
