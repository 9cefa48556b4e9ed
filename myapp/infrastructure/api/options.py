"""What whoever runs the service may set about requests."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Which requests are served.

    `prefix` is the path that a proxy serves under. `allowed_hosts` are names that requests
    may be addressed to, in lower case and without ports; `*.example.org` stands for all below
    it, `*` for any. `cors_origins` are the origins whose pages may read answers.
    `max_requests` is the number served at the same time, event streams apart.
    """

    prefix: str = ""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    cors_origins: tuple[str, ...] = ()
    max_requests: int = 1_024
    max_query_bytes: int = 131_072
    max_body_bytes: int = 1_048_576
