"""What a new device is given: two tunnels with one key, as text, QR code and Apple profile. Pure.

*Dehors* goes to the box's public endpoint, *Cabinet* to its address on the practice's network: many routers do not let
a phone inside reach their own public address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.enrol.wanted import interfaces
from appliance.errors import EnvironmentProblem
from appliance.network.mobileconfig import Place, ProfileTunnel, System, profile
from appliance.network.wireguard_config import OWN_KEY, ClientTunnel, client_config
from appliance.people.models import Device, Tunnel

# Names of the tunnels in the WireGuard app and of their files; French, as the practice says it.
NAMES: dict[Place, str] = {"outside": "Dehors", "inside": "Cabinet"}


@dataclass(frozen=True, slots=True)
class HandedTunnel:
    """One tunnel of a device: which, its name in the app, and the text that the app reads, a secret."""

    place: Place
    name: str
    tunnel: ClientTunnel

    @property
    def text(self) -> str:
        """Return what the app reads; with :data:`OWN_KEY` in the key's place when the device made its own."""
        return client_config(self.tunnel)


def hand_out(device: Device, tunnel: Tunnel, server_public_key: str, private_key: str = OWN_KEY) -> list[HandedTunnel]:
    """Return the tunnels of ``device``, *Dehors* first; one whose endpoint is not known is left out.

    :class:`EnvironmentProblem` when no endpoint is known at all.
    """
    endpoints: dict[Place, str] = {"outside": tunnel.outside, "inside": tunnel.inside}
    ipv4, ipv6 = interfaces(tunnel)
    handed = [
        HandedTunnel(
            place,
            NAMES[place],
            ClientTunnel(
                private_key=private_key,
                addresses=(IPv4Address(device.ipv4), IPv6Address(device.ipv6)),
                server_public_key=server_public_key,
                preshared_key=device.preshared_key,
                endpoint=endpoint,
                allowed=(ipv4.ip, ipv6.ip),
            ),
        )
        for place, endpoint in endpoints.items()
        if endpoint
    ]
    if not handed:
        raise EnvironmentProblem(
            "It is not known where devices find this box.",
            "Say it once: appliance device endpoint --outside HOST:PORT --cabinet HOST:PORT",
        )
    return handed


def apple_profile(handed: Sequence[HandedTunnel], device: Device, wifi: Sequence[str], system: System = "ios") -> bytes:
    """Return the tunnels as a profile for Apple's devices; ``wifi`` are the names of the practice's own networks."""
    entries = [ProfileTunnel(one.name, one.tunnel, one.place, tuple(wifi)) for one in handed]
    return profile(device.name, device.public_key, entries, system)
