"""Which addresses the internet reaches, and which only look like it. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from appliance.network.desired import LOCAL4, LOCAL6

# A carrier's inner network (RFC 6598): many lines behind one public address.
CARRIER = IPv4Network("100.64.0.0/10")
# Sources and addresses that are nobody's on the internet: the practice's own, a carrier's, and nonsense.
NOT_PUBLIC4 = (*LOCAL4, IPv4Network("0.0.0.0/8"), CARRIER, IPv4Network("127.0.0.0/8"), IPv4Network("224.0.0.0/3"))
NOT_PUBLIC6 = (*LOCAL6, IPv6Network("::/128"), IPv6Network("::1/128"), IPv6Network("ff00::/8"))
# Set aside for something else (IANA's special-purpose registry); a router behind DS-Lite has one of the first.
_SPECIAL4 = tuple(
    IPv4Network(text) for text in ("192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24")
)

# A rented relay (ansible/relay.yml): what it passes on comes from its address in its own tunnel to the box.
RELAY = (IPv4Address("172.31.255.1"), IPv6Address("fd6e:6567:6174::1"))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the internet can know ``address``."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in (*NOT_PUBLIC4, *_SPECIAL4))
    return not any(address in network for network in NOT_PUBLIC6)


def is_private(address: IPv4Address) -> bool:
    """Return whether ``address`` is one of a network at home (RFC 1918), so that another router stands before ours."""
    return any(address in network for network in LOCAL4[:3])
