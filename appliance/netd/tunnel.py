"""The contract between netd's socket and what holds the network; the real one and the stand-in pass one test suite."""

from __future__ import annotations

from typing import Protocol

from appliance.network.desired import DesiredNetwork
from appliance.network.netd_wire import Status


class Tunnel(Protocol):
    """WireGuard interface and firewall. Called by one thread, one call at a time.

    Every method may raise :class:`~appliance.errors.NegatoError`; then the network is as it was before the call.
    """

    def start(self) -> None:
        """Put back the network that was applied last; called once, before anything else."""

    def status(self) -> Status:
        """Return what is, and where that differs from what was asked for; changes nothing."""

    def apply(self, network: DesiredNetwork) -> Status:
        """Make ``network`` so, durably: it is back after a restart. Connections of peers that stay are untouched."""

    def disable_all(self) -> Status:
        """Take away every peer and the interface, durably; the firewall stays closed, confirmed senders stay."""

    def server_public_key(self) -> str:
        """Return the box's public key (base64), the same for ever."""

    def tick(self) -> None:
        """Do what is due; called about every second."""

    def stop(self) -> None:
        """Write down what a restart needs. The network itself stays as it is."""
