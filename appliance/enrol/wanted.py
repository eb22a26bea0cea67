"""From the devices and the equipment to the network that netd shall hold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_network

from appliance.enrol.life import is_let_in
from appliance.enrol.senders import is_in_tunnel
from appliance.network.desired import MOST_SENDERS, REACHES, DesiredNetwork, Peer
from appliance.network.subnets import pick_subnets
from appliance.people.models import Device, Sender, Tunnel


def new_tunnel(random_bytes: bytes, senders: Iterable[Sender] = ()) -> Tunnel:
    """Return a box's place in a tunnel that is drawn from 64 random bytes: the first address of each subnet.

    The subnets hold no equipment that was decided on.
    """
    ipv4, ipv6 = pick_subnets(random_bytes, [ip_network(sender.address) for sender in senders])
    return Tunnel(id=1, ipv4=f"{ipv4[1]}/{ipv4.prefixlen}", ipv6=f"{ipv6[1]}/{ipv6.prefixlen}")


def interfaces(tunnel: Tunnel) -> tuple[IPv4Interface, IPv6Interface]:
    """Return the box's addresses in the tunnel with their subnets."""
    return IPv4Interface(tunnel.ipv4), IPv6Interface(tunnel.ipv6)


def peer_of(device: Device) -> Peer:
    """Return a device as a peer of the tunnel."""
    reach = next(reach for reach in REACHES if reach == device.reach)
    return Peer(device.public_key, device.preshared_key, IPv4Address(device.ipv4), IPv6Address(device.ipv6), reach)


def wanted(
    tunnel: Tunnel, devices: Iterable[Device], senders: Sequence[Sender], listen_port: int, now: str
) -> DesiredNetwork:
    """Return the network with everybody who is let in at ``now`` and the equipment that was confirmed.

    Equipment that netd would refuse is left out: it must not hold back a change of devices.
    """
    ipv4, ipv6 = interfaces(tunnel)
    confirmed = [
        ip_address(sender.address)
        for sender in senders
        if sender.state == "confirmed" and not is_in_tunnel(sender.address, ipv4, ipv6)
    ]
    return DesiredNetwork(
        listen_port=listen_port,
        ipv4=ipv4,
        ipv6=ipv6,
        peers=tuple(peer_of(device) for device in devices if is_let_in(device, now)),
        senders=tuple(confirmed[:MOST_SENDERS]),
    )
