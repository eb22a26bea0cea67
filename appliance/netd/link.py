"""The tunnel's interface: made with the kernel's WireGuard or with wireguard-go, never taken from somebody else."""

from __future__ import annotations

import json
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any

from appliance.errors import Damaged, Refused
from appliance.logs import log
from appliance.netd.programs import ProgramRefused, find, run
from appliance.network.desired import INTERFACE, DesiredNetwork

# The kernel keeps this text with an interface: it tells ours from one that somebody else made under our name.
ALIAS = "negatoscope"


def exists(name: str) -> bool:
    """Return whether our interface is there; :class:`Refused` when one of that name is not ours."""
    found = _show("link", name)
    if found is None:
        return False
    if found.get("ifalias") != ALIAS:
        raise Refused(
            f"An interface {name} exists that the appliance did not make; nothing was changed.",
            f"If nobody needs it: ip link delete {name}",
        )
    return True


def make(name: str) -> bool:
    """Make the interface unless it is there; return whether it was made."""
    if exists(name):
        return False
    try:
        run("ip", "link", "add", "dev", name, "type", "wireguard")
    except ProgramRefused:
        # A kernel without WireGuard says so in more than one way; wireguard-go settles it.
        find("wireguard-go")
        run("wireguard-go", name)
        log("userspace_wireguard")
    # Not at the making: the kernel overlooks an alias there.
    run("ip", "link", "set", "dev", name, "alias", ALIAS)
    return True


def remove(name: str) -> None:
    """Remove our interface, and wireguard-go with it; harmless when there is none."""
    if exists(name):
        run("ip", "link", "delete", "dev", name)


def configure(network: DesiredNetwork) -> None:
    """Give the interface its two addresses and no other, its MTU, and bring it up."""
    name = network.interface
    run("ip", "link", "set", "dev", name, "addrgenmode", "none")
    wanted = {str(network.ipv4), str(network.ipv6)}
    for address in _addresses(name) - wanted:
        run("ip", "address", "delete", address, "dev", name)
    run("ip", "address", "replace", str(network.ipv4), "dev", name)
    # No other can have the address: no detection of duplicates, during which it would not answer.
    run("ip", "address", "replace", str(network.ipv6), "dev", name, "nodad")
    run("ip", "link", "set", "dev", name, "mtu", str(network.mtu), "up")


def differences(network: DesiredNetwork) -> list[str]:
    """Return in words where the interface is not as ``network`` wants it."""
    try:
        if not exists(network.interface):
            return [f"The tunnel's interface {network.interface} is missing."]
    except Refused as error:
        return [error.message]
    found = _show("link", network.interface) or {}
    texts = []
    if "UP" not in found.get("flags", []):
        texts.append("The tunnel's interface is down.")
    if found.get("mtu") != network.mtu:
        texts.append(f"The tunnel's MTU is {found.get('mtu')} instead of {network.mtu}.")
    if _addresses(network.interface) != {str(network.ipv4), str(network.ipv6)}:
        texts.append("The tunnel's addresses are not the ones wanted.")
    return texts


def meetings(network: DesiredNetwork, here: list[IPv4Interface | IPv6Interface]) -> list[str]:
    """Return in words where the tunnel's networks are also the practice's, ``here`` being the box's addresses there."""
    text = "The tunnel's network {} is also the practice's ({}): nobody in it is reached any more."
    return [
        text.format(own.network, one)
        for own in (network.ipv4, network.ipv6)
        for one in here
        if own.network.overlaps(one.network)
    ]


def local() -> list[IPv4Interface | IPv6Interface]:
    """Return the box's addresses on networks that are not the tunnel, with their prefixes; none of its own inside."""
    found = []
    for link in _listed("address"):
        if link.get("ifname") == INTERFACE or "LOOPBACK" in link.get("flags", []):
            continue
        for one in link.get("addr_info", []):
            if one.get("scope") == "global":
                found.append(ip_interface(f"{one['local']}/{one['prefixlen']}"))
    return found


def is_up(name: str) -> bool:
    """Return whether an interface of that name is up."""
    return "UP" in (_show("link", name) or {}).get("flags", [])


def _addresses(name: str) -> set[str]:
    found = (_show("address", name) or {}).get("addr_info", [])
    return {str(ip_interface(f"{one['local']}/{one['prefixlen']}")) for one in found}


def _show(what: str, name: str) -> dict[str, Any] | None:
    # All of them, because the failure of asking for one that is missing looks like any other failure.
    return next((one for one in _listed(what) if one.get("ifname") == name), None)


def _listed(what: str) -> list[dict[str, Any]]:
    try:
        listed = json.loads(run("ip", "-json", what, "show"))
        return [dict(one) for one in listed]
    except (ValueError, AttributeError, TypeError):
        raise Damaged("ip shows something that cannot be read.", "See: ip address") from None
