"""How many files, and so connections, the process may have open."""

import logging
import resource

_OTHERS = 256  # files: of the storage, of the log, of the libraries

_log = logging.getLogger(__name__)


def allow_open_files(connections: int) -> None:
    """Let the process have so many connections open, and warn if it may not.

    The usual limit, 1,024 files, is there for programs that cannot deal with more.
    """
    wanted = connections + _OTHERS
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        _log.warning(
            "TODOAPP_MAX_CONNECTIONS=%d, but no more than %d files may be open (ulimit -Hn):"
            " raise that limit, or lower the number",
            connections,
            most,
        )
        wanted = most
    if usual != resource.RLIM_INFINITY and usual < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
