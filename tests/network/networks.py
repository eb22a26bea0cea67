"""One network with every kind of peer, for the tests of its texts. The keys are made up and open nothing."""

from __future__ import annotations

import base64
import hashlib
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from appliance.network.desired import DesiredNetwork, Peer, Reach


def key(name: str) -> str:
    """Return 32 bytes made of a name, in base64."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def peer(number: int, reach: Reach = "pages") -> Peer:
    """Return the device with this number."""
    return Peer(
        key(f"public {number}"),
        key(f"shared {number}"),
        IPv4Address(f"10.77.31.{number}"),
        IPv6Address(f"fd12:3456:789a::{number:x}"),
        reach,
    )


NETWORK = DesiredNetwork(
    ipv4=IPv4Interface("10.77.31.1/24"),
    ipv6=IPv6Interface("fd12:3456:789a::1/64"),
    peers=(peer(2), peer(3), peer(250, "recovery")),
    senders=(IPv4Address("192.168.1.40"), IPv6Address("fd00:aaaa::40")),
)
EMPTY = DesiredNetwork(ipv4=NETWORK.ipv4, ipv6=NETWORK.ipv6)
