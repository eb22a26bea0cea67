"""Where devices find the box: as it was written down, else as the box can tell by itself."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address

from appliance.network.public import is_private
from appliance.people.models import Tunnel

# An address of documentation (RFC 5737): the kernel only looks up the way there, no packet leaves.
_SOMEWHERE = ("192.0.2.1", 9)


def local_address() -> IPv4Address | None:
    """Return this machine's address on the practice's network, if it has one and this process may see it.

    One that it gave itself for lack of a router (169.254.0.0/16) is none: another boot gives another.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            asked.connect(_SOMEWHERE)
            found = IPv4Address(asked.getsockname()[0])
    except OSError:
        return None
    return found if is_private(found) else None


class Endpoints:
    """Fills in what nobody wrote down: the way in from outside, the address on the practice's network."""

    def __init__(
        self,
        listen_port: int,
        outside: Callable[[], str] = lambda: "",
        inside: Callable[[], str] = lambda: "",
        find: Callable[[], IPv4Address | None] = local_address,
    ) -> None:
        """``outside`` and ``inside`` return HOST:PORT or an empty text; then ``find`` is asked."""
        self._port = listen_port
        self._outside = outside
        self._inside = inside
        self._find = find

    def fill(self, tunnel: Tunnel) -> Tunnel:
        """Return ``tunnel`` with the endpoints that are known now; the row itself is left as it is."""
        inside = tunnel.inside or self._inside()
        if not inside and (address := self._find()) is not None:
            inside = f"{address}:{self._port}"
        outside = tunnel.outside or self._outside()
        return Tunnel(id=tunnel.id, ipv4=tunnel.ipv4, ipv6=tunnel.ipv6, outside=outside, inside=inside)
