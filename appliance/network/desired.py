"""The network that a box should have: its interface, its peers, who may send images.

What comes from outside is read by :func:`from_json` alone, which takes exactly this and nothing that contradicts
itself: netd believes no caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
)
from typing import Any, Final, Literal, TypeVar, get_args

from appliance.errors import BadInput
from appliance.network.ports import HIGHEST, LOWEST_WIREGUARD, WIREGUARD

Reach = Literal["pages", "recovery", "wizard"]
Address = IPv4Address | IPv6Address
_I = TypeVar("_I", IPv4Interface, IPv6Interface)

INTERFACE: Final = "negato0"
MTU: Final = 1280
MOST_PEERS: Final = 200
MOST_SENDERS: Final = 100
LONGEST: Final = 256 * 1024

# 32 bytes in base64 have 43 letters and one sign of padding; of the last letter two bits are zero.
_KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")


@dataclass(frozen=True, slots=True)
class Peer:
    """One device: its keys (32 bytes in base64), its addresses in the tunnel, how far it reaches.

    ``pages`` sees the pages, ``recovery`` the recovery page alone, ``wizard`` the wizard alone.
    """

    public_key: str
    preshared_key: str
    ipv4: IPv4Address
    ipv6: IPv6Address
    reach: Reach = "pages"


@dataclass(frozen=True, slots=True)
class DesiredNetwork:
    """Everything that netd makes true. ``senders`` are the confirmed DICOM addresses on the practice's network."""

    ipv4: IPv4Interface
    ipv6: IPv6Interface
    listen_port: int = WIREGUARD
    peers: tuple[Peer, ...] = ()
    senders: tuple[Address, ...] = ()


def require_key(text: object, field: str) -> str:
    """Return a WireGuard key as it is written; :class:`BadInput` for anything else."""
    if not isinstance(text, str) or not _KEY.fullmatch(text):
        raise _bad(field, "is not a key of 32 bytes in base64")
    return text


def to_json(network: DesiredNetwork) -> dict[str, Any]:
    """Return the network as a JSON object."""
    return {
        "ipv4": str(network.ipv4),
        "ipv6": str(network.ipv6),
        "listen_port": network.listen_port,
        "peers": [
            {
                "public_key": peer.public_key,
                "preshared_key": peer.preshared_key,
                "ipv4": str(peer.ipv4),
                "ipv6": str(peer.ipv6),
                "reach": peer.reach,
            }
            for peer in network.peers
        ],
        "senders": [str(sender) for sender in network.senders],
    }


def from_json(body: object) -> DesiredNetwork:
    """Return the network that a JSON object says; :class:`BadInput` names what of it is not right."""
    fields = _exactly(body, "network", {"ipv4", "ipv6", "listen_port", "peers", "senders"})
    ipv4, ipv6 = _interface(fields["ipv4"], "ipv4", IPv4Interface), _interface(fields["ipv6"], "ipv6", IPv6Interface)
    if ipv4.network.prefixlen != 24 or not ipv4.is_private or ipv6.network.prefixlen != 64 or not ipv6.is_private:
        raise _bad("network", "needs a private IPv4 /24 and a unique local IPv6 /64")
    port = fields["listen_port"]
    if type(port) is not int or not LOWEST_WIREGUARD <= port <= HIGHEST:
        raise _bad("listen_port", f"is not a number from {LOWEST_WIREGUARD} to {HIGHEST}")
    network = DesiredNetwork(
        ipv4,
        ipv6,
        port,
        tuple(_peer(peer, ipv4, ipv6) for peer in _list(fields["peers"], "peers", MOST_PEERS)),
        tuple(_sender(sender) for sender in _list(fields["senders"], "senders", MOST_SENDERS)),
    )
    _once("peers' public keys", (peer.public_key for peer in network.peers))
    _once("peers' addresses", (address for peer in network.peers for address in (peer.ipv4, peer.ipv6)))
    _once("senders", network.senders)
    return network


def parse(raw: bytes) -> DesiredNetwork:
    """Return the network that a file holds; errors as :func:`from_json`."""
    if len(raw) > LONGEST:
        raise _bad("network", "is too long")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _bad("network", "is not JSON") from error
    return from_json(body)


def _peer(body: object, ipv4: IPv4Interface, ipv6: IPv6Interface) -> Peer:
    fields = _exactly(body, "peer", {"public_key", "preshared_key", "ipv4", "ipv6", "reach"})
    first, second = _address(fields["ipv4"], "peer.ipv4"), _address(fields["ipv6"], "peer.ipv6")
    if not isinstance(first, IPv4Address) or first not in ipv4.network or first in _taken(ipv4):
        raise _bad("peer.ipv4", "is not an address of a device in the tunnel's network")
    if not isinstance(second, IPv6Address) or second not in ipv6.network or second == ipv6.ip:
        raise _bad("peer.ipv6", "is not an address of a device in the tunnel's network")
    if fields["reach"] not in get_args(Reach):
        raise _bad("peer.reach", f"is none of {', '.join(get_args(Reach))}")
    return Peer(
        require_key(fields["public_key"], "peer.public_key"),
        require_key(fields["preshared_key"], "peer.preshared_key"),
        first,
        second,
        fields["reach"],
    )


def _taken(ipv4: IPv4Interface) -> tuple[IPv4Address, ...]:
    return ipv4.ip, ipv4.network.network_address, ipv4.network.broadcast_address


def _sender(text: object) -> Address:
    address = _address(text, "senders")
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_reserved:
        raise _bad("senders", "names an address that no equipment has")
    return address


def _address(text: object, field: str) -> Address:
    if isinstance(text, str) and "%" not in text:
        try:
            address = ip_address(text)
        except ValueError:
            address = None
        if address is not None and str(address) == text:
            return address
    raise _bad(field, "is not an address in its usual spelling")


def _interface(text: object, field: str, kind: type[_I]) -> _I:
    if isinstance(text, str) and "%" not in text:
        try:
            interface = ip_interface(text)
        except ValueError:
            interface = None
        if isinstance(interface, kind) and str(interface) == text:
            return interface
    raise _bad(field, "is not an address with the length of its network")


def _exactly(body: object, field: str, wanted: set[str]) -> Mapping[str, Any]:
    if not isinstance(body, dict) or body.keys() != wanted:
        raise _bad(field, f"does not hold exactly {', '.join(sorted(wanted))}")
    return body


def _list(value: object, field: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise _bad(field, f"is not a list of {most} at most")
    return value


def _once(what: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise _bad(what, "are named twice")
        seen.add(value)


def _bad(field: str, why: str) -> BadInput:
    return BadInput(f"The network that was asked for is not right: {field} {why}.", "Nothing was changed.")
