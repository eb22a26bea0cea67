"""Which equipment may send: the verdict on an address of the practice's network. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from appliance.errors import BadInput
from appliance.network.desired import LOCAL4, LOCAL6, MOST_SENDERS
from appliance.network.netd_wire import UnknownSender
from appliance.people.models import Sender

# An AE title of PS3.8: up to 16 of ISO 646, no backslash; may be left out.
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{0,16}")


@dataclass(frozen=True, slots=True)
class Equipment:
    """One address: ``state`` is confirmed, refused or unknown; ``packets`` and ``last`` (Unix seconds) of an unknown
    or refused one that knocked in the last hour."""

    address: str
    name: str
    ae_title: str
    state: str
    packets: int = 0
    last: int = 0


def require_local(text: str) -> str:
    """Return an address of a practice's own network in its usual spelling; :class:`BadInput` for anything else."""
    try:
        address = ip_address(text)
    except ValueError:
        raise BadInput("This is not an address.", "For example: 192.168.1.40") from None
    local = LOCAL4 if address.version == 4 else LOCAL6
    if "%" in text or not any(address in network for network in local):
        raise BadInput("This is not an address of the practice's own network.", "For example: 192.168.1.40")
    return str(address)


def require_no_device(address: str, ipv4: IPv4Interface, ipv6: IPv6Interface) -> None:
    """Raise :class:`BadInput` for an address of the tunnel, whose interfaces on the box these are."""
    if is_in_tunnel(address, ipv4, ipv6):
        raise BadInput(
            "This is an address of the box's tunnel, not of the practice's network.",
            "Take the address from the equipment or the router.",
        )


def is_in_tunnel(address: str, ipv4: IPv4Interface, ipv6: IPv6Interface) -> bool:
    """Return whether an address lies in the tunnel, whose interfaces on the box these are."""
    return any(ip_address(address) in interface.network for interface in (ipv4, ipv6))


def require_machine(address: str, local: Iterable[str]) -> None:
    """Raise :class:`BadInput` for an address that is no other machine's on the box's own networks.

    ``local`` are the box's addresses there with their prefixes. Neither the box itself, a whole network nor everybody
    in it is equipment.
    """
    asked = ip_address(address)
    for interface in map(ip_interface, local):
        network = interface.network
        ends = (
            (network.network_address, network.broadcast_address) if network.prefixlen < asked.max_prefixlen - 1 else ()
        )
        if asked == interface.ip or asked in ends:
            raise BadInput(
                f"{address} is not one machine's on {network}, or it is the box itself.",
                "Take the address from the equipment or the router.",
            )


def require_ae_title(text: str) -> str:
    """Return an AE title without the spaces around it (PS3.5 6.2), empty for any; :class:`BadInput` otherwise."""
    if not _AE_TITLE.fullmatch(text):
        raise BadInput("An AE title has up to 16 letters, without accents and backslash.")
    return text.strip()


def require_room(senders: Sequence[Sender], fresh: str) -> None:
    """Raise :class:`BadInput` when ``fresh`` would be one sender too many."""
    others = [sender for sender in senders if sender.state == "confirmed" and sender.address != fresh]
    if len(others) >= MOST_SENDERS:
        raise BadInput(f"The box takes images from {MOST_SENDERS} addresses.", "Refuse one that is not used any more.")


def equipment(senders: Iterable[Sender], knocking: Iterable[UnknownSender]) -> list[Equipment]:
    """Return what was decided and, after it, who knocked without being known."""
    knocks = {one.address: one for one in knocking}
    known = [
        Equipment(
            sender.address, sender.name, sender.ae_title, sender.state,
            knocks[sender.address].packets if sender.address in knocks else 0,
            knocks[sender.address].last if sender.address in knocks else 0,
        )
        for sender in senders
    ]  # fmt: skip
    decided = {one.address for one in known}
    fresh = [Equipment(k.address, "", "", "unknown", k.packets, k.last) for a, k in knocks.items() if a not in decided]
    return [*known, *sorted(fresh, key=lambda one: one.last, reverse=True)]
