"""Apple's configuration profile for the WireGuard app: the tunnels of one device, with rules of when they connect.

The keys of the profile are those of wireguard-apple's MOBILECONFIG.md and Apple's "VPN" payload.
"""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from appliance.errors import BadInput
from appliance.network.wireguard_config import ClientTunnel, client_config

System = Literal["ios", "macos"]
Place = Literal["outside", "inside"]
LONGEST_SSID = 32  # IEEE 802.11: octets
MOST_SSIDS = 16
# Names profiles of ours; a profile installed again replaces the one of the same device.
_NAMESPACE = uuid.UUID("6f0a3c0e-4f0b-5b6e-9d0e-2f7f5c1d8a11")
_IDENTIFIER = "org.negatoscope.tunnel"


@dataclass(frozen=True, slots=True)
class ProfileTunnel:
    """One tunnel of a profile: its name in the app, what it is, and where it connects by itself: ``outside`` the
    practice's Wi-Fi (``ssids``) or ``inside`` it. Without ``ssids`` it connects when its owner asks."""

    name: str
    tunnel: ClientTunnel
    place: Place
    ssids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.ssids) > MOST_SSIDS:
            raise BadInput(f"ssids are more than {MOST_SSIDS}.")
        for ssid in self.ssids:
            # Printable first: what cannot be encoded is not.
            if not ssid.isprintable() or not 0 < len(ssid.encode("utf-8")) <= LONGEST_SSID:
                raise BadInput("ssids has a name that no Wi-Fi can have.", "A name has 1 to 32 bytes.")


def profile(name: str, device: str, tunnels: Sequence[ProfileTunnel], system: System = "ios") -> bytes:
    """Return the profile as an XML property list, a secret; ``device`` (its public key) makes its identifiers.

    The same input gives the same bytes.
    """
    own = uuid.uuid5(_NAMESPACE, device)
    content = [_payload(entry, uuid.uuid5(own, str(number)), system) for number, entry in enumerate(tunnels)]
    return plistlib.dumps(
        {
            "PayloadContent": content,
            "PayloadDisplayName": name,
            "PayloadIdentifier": f"{_IDENTIFIER}.{own}",
            "PayloadType": "Configuration",
            "PayloadUUID": str(own).upper(),
            "PayloadVersion": 1,
        }
    )


def _payload(entry: ProfileTunnel, identifier: uuid.UUID, system: System) -> dict[str, object]:
    vpn: dict[str, object] = {"AuthenticationMethod": "Password", "RemoteAddress": entry.tunnel.endpoint}
    if entry.ssids:
        vpn |= {"OnDemandEnabled": 1, "OnDemandRules": on_demand(entry.place, entry.ssids)}
    return {
        "PayloadDisplayName": "VPN",
        "PayloadIdentifier": f"{_IDENTIFIER}.{identifier}",
        "PayloadType": "com.apple.vpn.managed",
        "PayloadUUID": str(identifier).upper(),
        "PayloadVersion": 1,
        "UserDefinedName": entry.name,
        "VPN": vpn,
        "VPNSubType": f"com.wireguard.{system}",
        "VPNType": "VPN",
        "VendorConfig": {"WgQuickConfig": client_config(entry.tunnel)},
    }


def on_demand(place: Place, ssids: Sequence[str]) -> list[dict[str, object]]:
    """Return Apple's rules, of which the first that matches counts: connect in ``place``, disconnect elsewhere."""
    here, elsewhere = ("Disconnect", "Connect") if place == "outside" else ("Connect", "Disconnect")
    at_practice: dict[str, object] = {"Action": here, "InterfaceTypeMatch": "WiFi", "SSIDMatch": list(ssids)}
    return [at_practice, {"Action": elsewhere}]
