"""What netd lets itself be asked for, whatever the caller says: its own port and its own interface."""

from __future__ import annotations

from appliance.errors import Refused
from appliance.network.desired import INTERFACE, DesiredNetwork


def require_ours(network: DesiredNetwork, listen_port: int) -> None:
    """Raise :class:`Refused` unless ``network`` keeps to netd's own table.

    The ports of pages and DICOM are no part of a request: they stand in ``network/ports.py`` alone.
    """
    if network.interface != INTERFACE:
        raise Refused("interface is not the one netd holds.", f"It is {INTERFACE}.")
    if network.listen_port != listen_port:
        raise Refused("listen_port is not the one netd opens.", "It is set by NEGATO_WIREGUARD_PORT.")
