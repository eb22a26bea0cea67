"""From where somebody asks: the box itself, a device in the tunnel, or elsewhere. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from appliance.enrol.life import is_let_in
from appliance.enrol.wanted import interfaces
from appliance.people.models import Device, Tunnel

Place = Literal["loopback", "device", "recovery", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a request comes from; ``device`` is set for ``device`` and ``recovery``."""

    place: Place
    device: Device | None = None


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a socket's other end, an IPv4 one also when it is written as IPv6 (RFC 4291 2.5.5.2)."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def whereabouts(
    address: IPv4Address | IPv6Address | None, tunnel: Tunnel | None, device: Device | None, now: str
) -> Whereabouts:
    """Return from where ``address`` asks; ``device`` is the row that has it, if one has.

    The tunnel carries a packet from an address only if the peer with that address sent it (WireGuard's cryptokey
    routing), and the firewall drops it on every other way; so the address names the device. A box without a tunnel
    is asked from itself alone.
    """
    if address is not None and address.is_loopback:
        return Whereabouts("loopback")
    if tunnel is None:
        return Whereabouts("elsewhere")
    if address in {interface.ip for interface in interfaces(tunnel)}:
        return Whereabouts("loopback")  # The box asks itself by its own name in the tunnel.
    if device is None or not is_let_in(device, now):
        return Whereabouts("elsewhere")
    return Whereabouts("recovery" if device.reach == "recovery" else "device", device)
