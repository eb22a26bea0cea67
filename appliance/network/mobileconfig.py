"""A tunnel as an Apple configuration profile, which turns it on by itself away from the practice's Wi-Fi."""

from __future__ import annotations

import plistlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from appliance.network.wireguard_text import ClientTunnel, client

# The bundle that the WireGuard app of the App Store has, and its own type of VPN.
_APP = {"ios": "com.wireguard.ios", "macos": "com.wireguard.macos"}


def render(
    tunnel: ClientTunnel, name: str, profile: UUID, payload: UUID, wifi: Sequence[str] = (), system: str = "ios"
) -> bytes:
    """Return the profile as an XML property list.

    ``name`` is what the device shows, ``wifi`` the names (SSID) of networks in which the tunnel stays off; the two
    UUIDs are random and name the profile and the tunnel in it. It holds the device's private key.
    """
    rules: list[dict[str, Any]] = []
    if wifi:
        rules.append({"Action": "Disconnect", "InterfaceTypeMatch": "WiFi", "SSIDMatch": list(wifi)})
    rules.append({"Action": "Connect"})
    vpn = {
        "PayloadType": "com.apple.vpn.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"negatoscope.{payload}",
        "PayloadUUID": str(payload),
        "PayloadDisplayName": name,
        "UserDefinedName": name,
        "VPNType": "VPN",
        "VPNSubType": _APP[system],
        "VendorConfig": {"WgQuickConfig": client(tunnel)},
        "VPN": {
            "RemoteAddress": tunnel.endpoint,
            "AuthenticationMethod": "Password",
            "OnDemandEnabled": 1,
            "OnDemandRules": rules,
        },
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": f"negatoscope.{profile}",
            "PayloadUUID": str(profile),
            "PayloadDisplayName": name,
            "PayloadContent": [vpn],
        }
    )
