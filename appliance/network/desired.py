"""The network that is wanted, as data: the box's addresses in the tunnel, its peers, the confirmed senders.

A value of these classes is valid: whoever builds one from outside input gets :class:`BadInput` that names the field.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
)
from typing import Literal, cast, get_args

from appliance.errors import BadInput
from appliance.network.ports import WIREGUARD
from appliance.network.wireguard_key import require_key

Reach = Literal["pages", "recovery", "wizard"]
REACHES: tuple[Reach, ...] = get_args(Reach)

MOST_PEERS = 200
MOST_SENDERS = 64
MTU = 1280
LARGEST_MTU = 1420
LONGEST_ADDRESS = 64
INTERFACE = "negato0"
_INTERFACE_FORM = re.compile(r"negato[a-z0-9]{1,8}")  # IFNAMSIZ is 16 with its end

LOCAL4 = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"))
LOCAL6 = tuple(IPv6Network(text) for text in ("fc00::/7", "fe80::/10"))
_TUNNEL4 = LOCAL4[:3]
_TUNNEL6 = IPv6Network("fd00::/8")


@dataclass(frozen=True, slots=True)
class Peer:
    """One enrolled device: its keys (base64), its two addresses in the tunnel, what it may reach.

    ``pages``: the pages and the query port; ``recovery`` and ``wizard``: port 80 alone.
    """

    public_key: str
    preshared_key: str = field(repr=False)
    ipv4: IPv4Address
    ipv6: IPv6Address
    reach: Reach = "pages"

    def __post_init__(self) -> None:
        require_key(self.public_key, "public_key")
        require_key(self.preshared_key, "preshared_key")
        if self.reach not in REACHES:
            raise BadInput("reach is none of the known ones.", f"One of: {', '.join(REACHES)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredNetwork:
    """Everything netd may be asked for. ``ipv4`` (/24) and ``ipv6`` (/64) are the box's own addresses in the tunnel.

    ``senders`` are the confirmed addresses of equipment on the practice's network, ``mtu`` is in bytes.
    """

    interface: str = INTERFACE
    listen_port: int = WIREGUARD.number
    ipv4: IPv4Interface
    ipv6: IPv6Interface
    mtu: int = MTU
    peers: tuple[Peer, ...] = ()
    senders: tuple[IPv4Address | IPv6Address, ...] = ()

    def __post_init__(self) -> None:
        if not _INTERFACE_FORM.fullmatch(self.interface):
            raise BadInput("interface is not a name of ours.", f"For example: {INTERFACE}.")
        if not 1024 <= self.listen_port <= 65535:
            raise BadInput("listen_port is not between 1024 and 65535.")
        if not MTU <= self.mtu <= LARGEST_MTU:
            raise BadInput(f"mtu is not between {MTU} and {LARGEST_MTU}.")
        if self.ipv4.network.prefixlen != 24 or not any(self.ipv4.ip in network for network in _TUNNEL4):
            raise BadInput("ipv4 is not an address in a private /24.")
        if self.ipv6.network.prefixlen != 64 or self.ipv6.ip not in _TUNNEL6:
            raise BadInput("ipv6 is not a unique local address in a /64 (fd00::/8).")
        _require_host(self.ipv4.ip, self.ipv4.network, "ipv4")
        _require_host(self.ipv6.ip, self.ipv6.network, "ipv6")
        if len(self.peers) > MOST_PEERS:
            raise BadInput(f"peers are more than {MOST_PEERS}.")
        if len(self.senders) > MOST_SENDERS:
            raise BadInput(f"senders are more than {MOST_SENDERS}.")
        self._check_peers()
        self._check_senders()

    def _check_peers(self) -> None:
        seen: dict[str, set[object]] = {"public_key": set(), "ipv4": {self.ipv4.ip}, "ipv6": {self.ipv6.ip}}
        for number, peer in enumerate(self.peers):
            _require_host(peer.ipv4, self.ipv4.network, f"peers[{number}].ipv4")
            _require_host(peer.ipv6, self.ipv6.network, f"peers[{number}].ipv6")
            for name, taken in seen.items():
                value = getattr(peer, name)
                if value in taken:
                    raise BadInput(f"peers[{number}].{name} is taken already.", "Each device has its own.")
                taken.add(value)

    def _check_senders(self) -> None:
        for number, sender in enumerate(self.senders):
            where = f"senders[{number}]"
            if isinstance(sender, IPv4Address):
                local = any(sender in network for network in LOCAL4) and sender not in self.ipv4.network
            else:
                local = any(sender in network for network in LOCAL6) and sender not in self.ipv6.network
                if sender.scope_id is not None:
                    raise BadInput(f"{where} has a zone.", "Write the address alone.")
            if not local:
                raise BadInput(f"{where} is not an address of the practice's own network.")
        if len(set(self.senders)) != len(self.senders):
            raise BadInput("senders has one address twice.")


def to_json(network: DesiredNetwork) -> dict[str, object]:
    """Return ``network`` as an object for JSON; it holds secrets (preshared keys)."""
    return {
        "interface": network.interface,
        "listen_port": network.listen_port,
        "ipv4": str(network.ipv4),
        "ipv6": str(network.ipv6),
        "mtu": network.mtu,
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


def fingerprint(network: DesiredNetwork | None) -> str:
    """Return a text that two networks share only when they are the same, secrets included; it tells none of them.

    SHA-256 in hexadecimal, empty for no network.
    """
    return hashlib.sha256(json.dumps(to_json(network)).encode("ascii")).hexdigest() if network is not None else ""


def from_json(value: object) -> DesiredNetwork:
    """Return the network that :func:`to_json` wrote; every field must be there and no other.

    :class:`BadInput` names the field, and never quotes what it held.
    """
    given = _fields(value, "network", {"interface", "listen_port", "ipv4", "ipv6", "mtu", "peers", "senders"})
    return DesiredNetwork(
        interface=_text(given["interface"], "interface"),
        listen_port=_number(given["listen_port"], "listen_port"),
        ipv4=_interface4(given["ipv4"]),
        ipv6=_interface6(given["ipv6"]),
        mtu=_number(given["mtu"], "mtu"),
        peers=tuple(
            _peer(item, f"peers[{number}]") for number, item in enumerate(_list(given["peers"], "peers", MOST_PEERS))
        ),
        senders=tuple(
            _address(item, f"senders[{number}]")
            for number, item in enumerate(_list(given["senders"], "senders", MOST_SENDERS))
        ),
    )


def _peer(value: object, where: str) -> Peer:
    given = _fields(value, where, {"public_key", "preshared_key", "ipv4", "ipv6", "reach"})
    ipv4, ipv6 = _address(given["ipv4"], f"{where}.ipv4"), _address(given["ipv6"], f"{where}.ipv6")
    if not isinstance(ipv4, IPv4Address):
        raise BadInput(f"{where}.ipv4 is not an IPv4 address.")
    if not isinstance(ipv6, IPv6Address):
        raise BadInput(f"{where}.ipv6 is not an IPv6 address.")
    reach = _text(given["reach"], f"{where}.reach")
    if reach not in REACHES:
        raise BadInput(f"{where}.reach is none of the known ones.", f"One of: {', '.join(REACHES)}.")
    return Peer(
        require_key(given["public_key"], f"{where}.public_key"),
        require_key(given["preshared_key"], f"{where}.preshared_key"),
        ipv4,
        ipv6,
        reach,
    )


def _fields(value: object, where: str, names: set[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadInput(f"{where} is not an object.")
    # Names come from outside: what is unknown is counted, not quoted.
    if unknown := [name for name in value if name not in names]:
        raise BadInput(f"{where} has {len(unknown)} unknown field(s).", f"Known: {', '.join(sorted(names))}.")
    if missing := sorted(names - set(value)):
        raise BadInput(f"{where}.{missing[0]} is missing.")
    return cast("dict[str, object]", value)


def _list(value: object, where: str, most: int) -> list[object]:
    if not isinstance(value, list):
        raise BadInput(f"{where} is not a list.")
    if len(value) > most:
        raise BadInput(f"{where} are more than {most}.")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_ADDRESS or not value.isascii():
        raise BadInput(f"{where} is not a short text.")
    return value


def _number(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"{where} is not a whole number.")
    return value


def _address(value: object, where: str) -> IPv4Address | IPv6Address:
    text = _text(value, where)
    try:
        address = ip_address(text)
    except ValueError:
        raise BadInput(f"{where} is not an address.") from None
    # One spelling, no zone: the text goes into configuration, and two spellings would hide a duplicate.
    if str(address) != text or "%" in text:
        raise BadInput(f"{where} is not an address in its usual spelling.")
    return address


def _interface4(value: object) -> IPv4Interface:
    text = _text(value, "ipv4")
    try:
        found = IPv4Interface(text)
    except ValueError:
        raise BadInput("ipv4 is not an address with its prefix length.", "For example: 10.83.12.1/24.") from None
    if str(found) != text:
        raise BadInput("ipv4 is not an address in its usual spelling.")
    return found


def _interface6(value: object) -> IPv6Interface:
    text = _text(value, "ipv6")
    try:
        found = IPv6Interface(text)
    except ValueError:
        raise BadInput("ipv6 is not an address with its prefix length.", "For example: fd12:3456:789a::1/64.") from None
    if str(found) != text or "%" in text:
        raise BadInput("ipv6 is not an address in its usual spelling.")
    return found


def _require_host(address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network, where: str) -> None:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise BadInput(f"{where} has a zone.", "Write the address alone.")
    if address not in network:
        raise BadInput(f"{where} is outside the tunnel's subnet.")
    if address == network.network_address or (address.version == 4 and address == network.broadcast_address):
        raise BadInput(f"{where} is no address of a host.")
