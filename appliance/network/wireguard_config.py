"""The texts of WireGuard: what ``wg syncconf`` reads on the box, what the app on a phone reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from appliance.errors import BadInput
from appliance.network.desired import MTU, DesiredNetwork
from appliance.network.wireguard_key import require_key

# For a device that makes its own key: it puts the key in this place, where nobody else sees it.
OWN_KEY = "OWN-PRIVATE-KEY"
_HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # as a last label it is an address in another way of writing


@dataclass(frozen=True, slots=True)
class ClientTunnel:
    """One tunnel of a device. ``private_key`` is base64 or :data:`OWN_KEY`; ``endpoint`` is HOST:PORT as the device
    reaches the box; ``allowed`` are the box's own addresses in the tunnel, and nothing beside them."""

    private_key: str = field(repr=False)
    addresses: tuple[IPv4Address, IPv6Address]
    server_public_key: str
    preshared_key: str = field(repr=False)
    endpoint: str
    allowed: tuple[IPv4Address, IPv6Address]

    def __post_init__(self) -> None:
        if self.private_key != OWN_KEY:
            require_key(self.private_key, "private_key")
        require_key(self.server_public_key, "server_public_key")
        require_key(self.preshared_key, "preshared_key")
        require_endpoint(self.endpoint, "endpoint")


def require_endpoint(text: str, where: str) -> str:
    """Return ADDRESS:PORT, [ADDRESS]:PORT or NAME:PORT in one way of writing; :class:`BadInput` that names ``where``.

    A name comes back in small letters and without the dot at its end. An address is one machine's, which others can
    reach: neither nobody's, this machine's own, everybody's, nor one that is good for one cable alone.
    """
    host, _, port = text.rpartition(":")
    try:
        if not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65535):
            raise ValueError
        if host.startswith("[") and host.endswith("]") and "%" not in host:
            address = IPv6Address(host[1:-1])
            _require_unicast(address)
            return f"[{address}]:{int(port)}"
        if host.replace(".", "").isdecimal():
            _require_unicast(IPv4Address(host))
            return f"{host}:{int(port)}"
        name = host.lower().removesuffix(".")
        last = name.rpartition(".")[2]
        if not _HOST.fullmatch(name) or _NUMBER.fullmatch(last) or last == "localhost":
            raise ValueError
    except ValueError:
        example = "For example: cabinet.example.org:51820."
        raise BadInput(f"{where} is not HOST:PORT under which other machines find the box.", example) from None
    return f"{name}:{int(port)}"


def is_endpoint(text: str) -> bool:
    """Return whether ``text`` is an endpoint as :func:`require_endpoint` asks."""
    try:
        require_endpoint(text, "endpoint")
    except BadInput:
        return False
    return True


def _require_unicast(address: IPv4Address | IPv6Address) -> None:
    kinds = (address.is_unspecified, address.is_loopback, address.is_multicast, address.is_reserved)
    if isinstance(address, IPv6Address) and address.is_site_local:  # Given up in 2004 (RFC 3879).
        raise ValueError
    if any(kinds) or address.is_link_local or (isinstance(address, IPv4Address) and int(address) < 1 << 24):
        raise ValueError


def server_config(network: DesiredNetwork, private_key: str, endpoints: Mapping[str, str] | None = None) -> str:
    """Return the text for ``wg syncconf``, a secret. ``endpoints`` (public key to ADDRESS:PORT) are where peers were
    seen last; a peer without one keeps the endpoint that the interface knows."""
    known = endpoints or {}
    parts = [f"[Interface]\nPrivateKey = {private_key}\nListenPort = {network.listen_port}\n"]
    for peer in network.peers:
        lines = [
            "[Peer]",
            f"PublicKey = {peer.public_key}",
            f"PresharedKey = {peer.preshared_key}",
            f"AllowedIPs = {peer.ipv4}/32, {peer.ipv6}/128",
        ]
        if peer.public_key in known:
            lines.append(f"Endpoint = {require_endpoint(known[peer.public_key], 'endpoint')}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def client_config(tunnel: ClientTunnel) -> str:
    """Return the text that the WireGuard app reads, a secret unless the device puts in its own key.

    AllowedIPs is the box alone: the phone's other traffic goes its usual way. No ``DNS``: phones would then send every
    question to the box. No keepalive: it would wake the phone's radio all day.
    """
    addresses = ", ".join(f"{address}/{address.max_prefixlen}" for address in tunnel.addresses)
    allowed = ", ".join(f"{address}/{address.max_prefixlen}" for address in tunnel.allowed)
    return (
        f"[Interface]\nPrivateKey = {tunnel.private_key}\nAddress = {addresses}\nMTU = {MTU}\n\n"
        f"[Peer]\nPublicKey = {tunnel.server_public_key}\nPresharedKey = {tunnel.preshared_key}\n"
        f"AllowedIPs = {allowed}\nEndpoint = {tunnel.endpoint}\n"
    )
