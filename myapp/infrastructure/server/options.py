"""What whoever runs the service may set about connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What a client may ask of a process before and beside its requests.

    `max_header_bytes` counts the request line too. Times are in seconds: to receive the whole
    head of a request, to receive its whole body, to read any of what it is sent, and between
    two requests on one connection. Only `trusted_proxies`, as networks, are believed whom they
    serve.
    """

    max_connections: int = 16_384
    max_header_bytes: int = 262_144
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    send_timeout: float = 10.0
    keep_alive_timeout: float = 75.0
    trusted_proxies: tuple[str, ...] = ()
