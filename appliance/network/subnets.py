"""Choosing the tunnel's two subnets: at random, so that few networks in the world that a phone visits are the same."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network

from appliance.errors import BadInput

RANDOM_BYTES = 64

# What home routers, hotels, hypervisors and companies take first: a phone there could not tell the tunnel from its LAN.
COMMON = tuple(
    IPv4Network(text)
    for text in (
        "10.0.0.0/21",  # 10.0.0 to 10.0.7: many routers, Apple, Xfinity, clouds
        "10.0.10.0/24",
        "10.0.100.0/24",
        "10.1.0.0/21",  # 10.1.1: Belkin, D-Link
        "10.1.10.0/24",  # Comcast Business
        "10.2.0.0/23",
        "10.4.0.0/23",
        "10.5.0.0/23",
        "10.6.0.0/24",  # PiVPN
        "10.7.0.0/24",
        "10.8.0.0/21",  # OpenVPN, wg-easy
        "10.9.0.0/24",
        "10.10.0.0/20",  # 10.10.10: hotspots
        "10.13.13.0/24",  # other WireGuard images
        "10.20.0.0/24",
        "10.20.30.0/24",
        "10.42.0.0/16",  # hotspots of Linux and of telephones
        "10.43.0.0/16",
        "10.50.0.0/24",
        "10.66.0.0/16",  # WireGuard services
        "10.88.0.0/16",  # Podman
        "10.90.90.0/24",  # D-Link switches
        "10.96.0.0/12",  # clusters
        "10.244.0.0/16",
        "10.255.0.0/16",
    )
)


def pick_subnets(
    random_bytes: bytes, taken: Collection[IPv4Network | IPv6Network] = ()
) -> tuple[IPv4Network, IPv6Network]:
    """Return an IPv4 /24 below 10.0.0.0/8 and a unique local IPv6 /64 (RFC 4193) that meet neither a common LAN nor
    ``taken``.

    ``random_bytes``: 64 bytes from the system's generator. :class:`BadInput` when every candidate in them is taken.
    """
    if len(random_bytes) < RANDOM_BYTES:
        raise BadInput(f"Choosing subnets takes {RANDOM_BYTES} random bytes.")
    ipv6 = IPv6Network((bytes([0xFD]) + random_bytes[:7] + bytes(8), 64))
    if any(isinstance(network, IPv6Network) and network.overlaps(ipv6) for network in taken):
        raise BadInput("The tunnel's IPv6 subnet meets one that is taken.", "Try again.")
    avoided = [*COMMON, *(network for network in taken if isinstance(network, IPv4Network))]
    for start in range(7, len(random_bytes) - 1, 2):
        ipv4 = IPv4Network((bytes([10]) + random_bytes[start : start + 2] + bytes(1), 24))
        if not any(ipv4.overlaps(network) for network in avoided):
            return ipv4, ipv6
    raise BadInput("No free IPv4 subnet for the tunnel was found.", "Try again.")
