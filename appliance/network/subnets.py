"""Which addresses a box's tunnel gets: random, and none that practices' and homes' routers use."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface
from itertools import pairwise

from appliance.errors import BadInput

RANDOM_BYTES = 7
# Values of x in 10.x.y.0/24 that routers, hotels, clouds and other VPNs hand out: from inside one, a phone would not
# reach us.
_COMMON_SECOND = frozenset({0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 13, 20, 42, 64, 66, 88, 90, 96, 100, 128, 200, 255})


def pick(random: bytes, taken: Iterable[IPv4Network] = ()) -> tuple[IPv4Interface, IPv6Interface]:
    """Return the box's own addresses: 10.x.y.1/24 and the first of a unique local /64 (RFC 4193).

    ``random`` has 7 bytes or more, of which the first two that suit make the IPv4 network; ``taken`` are networks of
    this machine. Raises :class:`BadInput` when no two neighbouring bytes suit: draw others.
    """
    if len(random) < RANDOM_BYTES:
        raise BadInput(f"Choosing addresses takes {RANDOM_BYTES} random bytes.")
    avoided = list(taken)
    for second, third in pairwise(random):
        network = IPv4Network((bytes([10, second, third, 0]), 24))
        if second not in _COMMON_SECOND and not any(network.overlaps(other) for other in avoided):
            global_id = random[:5].hex()
            ipv6 = f"fd{global_id[:2]}:{global_id[2:6]}:{global_id[6:10]}::1/64"
            return IPv4Interface((network.network_address + 1, 24)), IPv6Interface(ipv6)
    raise BadInput("These random bytes give no free network.", "Draw others.")
