"""Which names the service goes by."""

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv6Address

from myapp.infrastructure.api.remembering import remembering

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{0,5})?")


class Hosts:
    """The names that requests may be addressed to.

    `*.example.org` stands for all below it, `*` for any. Anybody can have a name of their
    own lead to any address, and a browser would take what is served there for theirs.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._any = "*" in names
        self._names = {_plain(name) for name in names}
        self._domains = tuple(_plain(name[1:]) for name in names if name.startswith("*."))
        self.include = remembering(self._include)

    def _include(self, host: bytes) -> bool:
        """Whether one is what a Host header has; its port does not matter."""
        match = _HOST.fullmatch(host.decode("latin-1").lower())
        if match is None:
            return False
        name = _plain(match["name"])
        return self._any or name in self._names or name.endswith(self._domains)


def _plain(name: str) -> str:
    """Answer the one spelling of a name."""
    try:
        return f"[{IPv6Address(name.removeprefix('[').removesuffix(']'))}]"
    except AddressValueError:
        return name.removesuffix(".").lower()
