"""The stand-in for the tunnel: keeps what it is asked for in memory and changes nothing on the machine."""

from __future__ import annotations

from appliance.netd.server_key import ServerKey
from appliance.netd.table import require_ours
from appliance.network.desired import DesiredNetwork, fingerprint
from appliance.network.netd_wire import PeerStatus, Status


class FakeTunnel:
    """A :class:`~appliance.netd.tunnel.Tunnel` for the demonstration and for tests without a network of their own."""

    def __init__(self, key: ServerKey, listen_port: int) -> None:
        self._key = key
        self._port = listen_port
        self._network: DesiredNetwork | None = None

    def start(self) -> None:
        """Make the key; there is nothing to put back."""
        self._key.make_sure()

    def status(self) -> Status:
        """Return the peers asked for, none of which was ever seen."""
        if self._network is None:
            return Status(up=False, listen_port=0)
        peers = tuple(PeerStatus(peer.public_key, "", 0, 0, 0) for peer in self._network.peers)
        return Status(up=True, listen_port=self._port, peers=peers, applied=fingerprint(self._network))

    def apply(self, network: DesiredNetwork) -> Status:
        """Remember ``network``."""
        require_ours(network, self._port)
        self._network = network
        return self.status()

    def disable_all(self) -> Status:
        """Forget the network."""
        self._network = None
        return self.status()

    def server_public_key(self) -> str:
        """Return the box's public key (base64)."""
        return self._key.public()

    def tick(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
