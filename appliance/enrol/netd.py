"""The caller's side of netd: asks for a network, hears what is."""

from __future__ import annotations

from pathlib import Path

from appliance import sockets
from appliance.network import netd_wire
from appliance.network.desired import DesiredNetwork
from appliance.network.line import LONGEST
from appliance.network.netd_wire import Request, Status

# netd starts programs (wg, nft), one after the other.
SECONDS = 20.0


class NetdClient:
    """Talks to netd, one connection a question. Raises what netd answers, :class:`EnvironmentProblem` without one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def status(self) -> Status:
        """Return the tunnel as it is."""
        return netd_wire.decode_status(self._ask(Request("status")))

    def apply(self, network: DesiredNetwork) -> Status:
        """Ask for ``network`` and return what came of it."""
        return netd_wire.decode_status(self._ask(Request("apply", network)))

    def server_public_key(self) -> str:
        """Return the box's public key (base64)."""
        return netd_wire.decode_public_key(self._ask(Request("server_public_key")))

    def _ask(self, request: Request) -> bytes:
        return sockets.ask(self._path, netd_wire.encode_request(request), LONGEST, SECONDS, "netd")
