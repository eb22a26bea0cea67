"""Which addresses a device gets in the tunnel. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from appliance.errors import BadInput
from appliance.network.desired import MOST_PEERS
from appliance.network.wireguard_key import require_key
from appliance.people.models import Device

# The box is .1; .255 is the network's broadcast address.
FIRST, LAST = 2, 254


def addresses(box4: IPv4Interface, box6: IPv6Interface, devices: Sequence[Device]) -> tuple[IPv4Address, IPv6Address]:
    """Return the addresses of one more device, the same host number in both families.

    A number that no device ever had comes before one that a revoked device left. :class:`BadInput` when the tunnel is
    full.
    """
    here = [device for device in devices if device.state != "revoked"]
    first4, first6 = int(box4.network.network_address), int(box6.network.network_address)
    taken = {int(IPv4Address(device.ipv4)) - first4 for device in here}
    ever = {int(IPv4Address(device.ipv4)) - first4 for device in devices}
    numbers = range(FIRST, LAST + 1)
    free = next((n for n in numbers if n not in ever), None) or next((n for n in numbers if n not in taken), None)
    if free is None or len(here) >= MOST_PEERS:
        raise BadInput(f"The tunnel is full: it carries {MOST_PEERS} devices.", "Revoke one that is not used any more.")
    return IPv4Address(first4 + free), IPv6Address(first6 + free)


def require_new_key(public_key: str, box_key: str, devices: Sequence[Device]) -> str:
    """Return a device's public key; :class:`BadInput` for none, the box's own, or one that another device has or had.

    A revoked device's key is refused as well: it would be let in again under another name.
    """
    require_key(public_key, "public_key")
    if public_key == box_key:
        raise BadInput("This is the box's own key.", "Give the device's public key.")
    owner = next((device for device in devices if device.public_key == public_key), None)
    if owner is not None:
        raise BadInput(
            f"This key belongs to another device already ({owner.name}).", "Make a fresh key on the new device."
        )
    return public_key
