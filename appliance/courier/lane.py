"""This machine's way to the internet: its own address, and the router's beside it, as the kernel has them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

# Addresses of documentation (RFC 5737, RFC 3849): the kernel only looks up the way there, no packet leaves.
_SOMEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_DISCARD = 9
_ROUTES4, _ROUTES6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
_UP, _GATEWAY = 0x1, 0x2


@dataclass(frozen=True, slots=True)
class Lane:
    """The router's and our own address in one family; ``scope`` is the interface's number for a link-local router."""

    router: IPv4Address | IPv6Address
    own: IPv4Address | IPv6Address
    scope: int = 0

    def place(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        """Return the router at ``port`` as :mod:`socket` wants it."""
        if self.router.version == 4:
            return str(self.router), port
        return str(self.router), port, 0, self.scope


def lane4() -> Lane | None:
    """Return the way over IPv4, ``None`` without a default route."""
    own = _own(socket.AF_INET)
    found = []
    for line in _lines(_ROUTES4)[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == "00000000" and int(fields[3], 16) & (_UP | _GATEWAY) == 3:
            found.append((int(fields[6]), IPv4Address(bytes.fromhex(fields[2])[::-1])))
    return Lane(min(found)[1], own) if found and own is not None else None


def lane6() -> Lane | None:
    """Return the way over IPv6, ``None`` without a default route or without a global address."""
    own = _own(socket.AF_INET6)
    found = []
    for line in _lines(_ROUTES6):
        fields = line.split()
        if len(fields) > 9 and (fields[0], fields[1]) == ("0" * 32, "00") and int(fields[8], 16) & _GATEWAY:
            router = IPv6Address(bytes.fromhex(fields[4]))
            found.append((int(fields[5], 16), router, socket.if_nametoindex(fields[9]) if router.is_link_local else 0))
    return Lane(min(found)[1], own, min(found)[2]) if found and own is not None else None


def _own(family: socket.AddressFamily) -> IPv4Address | IPv6Address | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((_SOMEWHERE[family], _DISCARD))
            text = str(asked.getsockname()[0])
    except OSError:
        return None
    return IPv4Address(text) if family == socket.AF_INET else IPv6Address(text)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").splitlines()
    except OSError:
        return []
