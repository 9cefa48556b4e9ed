"""The address that is listened on, and what has to be said about it."""

import logging
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

_BACKLOG = 2_048

_log = logging.getLogger(__name__)


class AddressUnavailable(OSError):
    """The address cannot be listened on; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Answer a socket that listens, so that clients wait until they are served.

    Port 0 asks for any that is free. Raises AddressUnavailable.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # now: the port may be free, yet taken a moment later
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no host has such a name"
        raise AddressUnavailable(
            f"{host}:{port} cannot be listened on ({reason}): stop what uses it, or"
            " set TODOAPP_HOST and TODOAPP_PORT to another address."
        ) from error
    if not _is_loopback(host):
        _log.warning(
            "TODOAPP_HOST=%s: whoever reaches this address may read and change everything,"
            " since there are no users yet",
            host,
        )
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """Answer the URL of what listens, under a name that leads there."""
    address = _address(host)
    if address is not None and address.is_unspecified:  # which stands for all there are
        host = "localhost"
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
