"""The network as WireGuard reads it: the server's configuration, and a device's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from appliance.errors import BadInput
from appliance.network.desired import MTU, DesiredNetwork, Peer

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def server(network: DesiredNetwork, private_key: str, endpoints: dict[str, str] | None = None) -> str:
    """Return the configuration for ``wg syncconf``. It holds secrets: hand it over on standard input only.

    ``endpoints`` are where devices were last seen, by public key: with them the box answers a device at once after a
    restart, without waiting for its next handshake.
    """
    lines = ["[Interface]", f"PrivateKey = {private_key}", f"ListenPort = {network.listen_port}"]
    for peer in network.peers:
        lines += ["", "[Peer]", f"PublicKey = {peer.public_key}", f"PresharedKey = {peer.preshared_key}"]
        lines.append(f"AllowedIPs = {allowed(peer)}")
        if endpoint := (endpoints or {}).get(peer.public_key):
            lines.append(f"Endpoint = {endpoint}")
    return "\n".join(lines) + "\n"


def allowed(peer: Peer) -> str:
    """Return from which addresses a peer may speak: its own two and no other."""
    return f"{peer.ipv4}/32, {peer.ipv6}/128"


@dataclass(frozen=True, slots=True)
class ClientTunnel:
    """One tunnel as a device has it. ``endpoint`` is HOST:PORT: the public one outside, the LAN's inside."""

    private_key: str
    ipv4: IPv4Address
    ipv6: IPv6Address
    server_public_key: str
    preshared_key: str
    endpoint: str
    box_ipv4: IPv4Address
    box_ipv6: IPv6Address

    @classmethod
    def of(
        cls, peer: Peer, private_key: str, network: DesiredNetwork, server_public_key: str, host: str, port: int
    ) -> ClientTunnel:
        """Return the tunnel of a peer to the box at ``host`` (a name, or an address of either family)."""
        return cls(
            private_key,
            peer.ipv4,
            peer.ipv6,
            server_public_key,
            peer.preshared_key,
            endpoint_of(host, port),
            network.ipv4.ip,
            network.ipv6.ip,
        )


def endpoint_of(host: str, port: int) -> str:
    """Return HOST:PORT as WireGuard reads it; :class:`BadInput` for no host."""
    try:
        address = ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            raise BadInput("The box's address is neither a name nor an address.", "Look at its network.") from None
        return f"{host}:{port}"
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"


def client(tunnel: ClientTunnel) -> str:
    """Return the file that wg-quick, the phone's app and a QR code carry.

    Only the box's own two addresses go through the tunnel, and no name server is set: the device's other traffic stays
    as it was. No keepalive: a phone's battery pays for it.
    """
    return "\n".join(
        [
            "[Interface]",
            f"PrivateKey = {tunnel.private_key}",
            f"Address = {tunnel.ipv4}/32, {tunnel.ipv6}/128",
            f"MTU = {MTU}",
            "",
            "[Peer]",
            f"PublicKey = {tunnel.server_public_key}",
            f"PresharedKey = {tunnel.preshared_key}",
            f"AllowedIPs = {tunnel.box_ipv4}/32, {tunnel.box_ipv6}/128",
            f"Endpoint = {tunnel.endpoint}",
            "",
        ]
    )
