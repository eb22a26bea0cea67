"""netd as a test wants it: real messages on the real socket, handshakes and strangers on demand, no network."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance import sockets
from appliance.errors import EnvironmentProblem
from appliance.network import netd_wire
from appliance.network.answers import encode_error
from appliance.network.desired import DesiredNetwork, fingerprint
from appliance.network.line import LONGEST
from appliance.network.netd_wire import PeerStatus, Status, UnknownSender
from appliance.sealing.tunnel_keys import new_private_key, public_key_of


class NetdSimulator:
    """Keeps the network that was asked for; a test adds what would be seen of it."""

    def __init__(self) -> None:
        self.network: DesiredNetwork | None = None
        self.handshakes: dict[str, int] = {}
        self.traffic: dict[str, tuple[int, int]] = {}
        self.unknown: list[UnknownSender] = []
        self.broken = ""
        self.differences: tuple[str, ...] = ()
        self.local: tuple[str, ...] = ()
        self.key = public_key_of(new_private_key())

    def status(self) -> Status:
        """Return the network as it would be."""
        peers = [] if self.network is None else self.network.peers
        return Status(
            up=self.network is not None,
            listen_port=51820,
            peers=tuple(
                PeerStatus(
                    peer.public_key,
                    "",
                    self.handshakes.get(peer.public_key, 0),
                    *self.traffic.get(peer.public_key, (0, 0)),
                )
                for peer in peers
            ),
            unknown_senders=tuple(self.unknown),
            differences=self.differences,
            applied=fingerprint(self.network),
            local=self.local,
        )

    def answer(self, raw: bytes) -> bytes:
        """Return the answer to one request."""
        request = netd_wire.decode_request(raw)
        if self.broken and request.verb == "apply":
            return encode_error(EnvironmentProblem(self.broken, "Look at netd's log."))
        if request.verb == "server_public_key":
            return netd_wire.encode_public_key(self.key)
        if request.verb == "apply":
            self.network = request.network
        return netd_wire.encode_status(self.status())


@contextmanager
def simulated_netd(path: Path) -> Iterator[NetdSimulator]:
    """Answer at ``path`` for as long as the context lasts."""
    simulator, over = NetdSimulator(), threading.Event()
    listener = sockets.listen(path)
    listener.settimeout(0.2)

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(simulator.answer(sockets.read_line(connection, LONGEST, 5)))
                    connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield simulator
    finally:
        over.set()
        thread.join(5)
        listener.close()
        path.unlink(missing_ok=True)
