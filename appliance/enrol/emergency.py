"""The recovery sheet's own way into the tunnel: a peer that reaches the recovery page and nothing else.

Its private key is on the sheet alone. It lets nobody read anything: the page asks for the paper key, and then lets a
device in, whose owner needs her passphrase as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from appliance.clock import stamp
from appliance.enrol.allot import addresses
from appliance.enrol.handed import HandedTunnel, hand_out
from appliance.enrol.wanted import interfaces
from appliance.people.devices import Devices
from appliance.people.models import Device, Tunnel
from appliance.people.store import new_id
from appliance.sealing.tunnel_keys import new_preshared_key, new_private_key, public_key_of

NAME = "Recovery sheet"


def add_emergency(
    devices: Devices, tunnel: Tunnel, box_key: str, moment: datetime
) -> tuple[Device, list[HandedTunnel]]:
    """Make one more peer for a sheet in system.db; return it and what the sheet has to show.

    ``tunnel`` has the endpoints; :class:`EnvironmentProblem` when none is known, and then nothing was changed.
    """
    private_key = new_private_key()
    fresh = Device(
        id=new_id(), person="", name=NAME, kind="phone", public_key=public_key_of(private_key),
        preshared_key=new_preshared_key(), ipv4="", ipv6="", reach="recovery", state="active", created=stamp(moment),
    )  # fmt: skip
    handed: list[HandedTunnel] = []

    def place(others: Sequence[Device]) -> Device:
        ipv4, ipv6 = addresses(*interfaces(tunnel), others)
        fresh.ipv4, fresh.ipv6 = str(ipv4), str(ipv6)
        handed.extend(hand_out(fresh, tunnel, box_key, private_key))
        return fresh

    return devices.add(place), handed
