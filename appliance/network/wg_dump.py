"""What ``wg show INTERFACE dump`` says, and where that differs from the network that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.errors import Damaged
from appliance.network.desired import DesiredNetwork, Peer
from appliance.network.netd_wire import PeerStatus


@dataclass(frozen=True, slots=True)
class DumpedPeer:
    """A peer of the interface; ``allowed`` as wg writes it, sorted."""

    status: PeerStatus
    preshared_key: str = field(repr=False)
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dump:
    """An interface as wg shows it, without its private key."""

    public_key: str
    listen_port: int
    peers: tuple[DumpedPeer, ...]


def parse_dump(text: str) -> Dump:
    """Return what the lines of fields, parted by tabulators, say; :class:`Damaged` when they are not wg's."""
    try:
        head, *rest = [line.split("\t") for line in text.splitlines()]
        _private, public_key, listen_port, _mark = head
        return Dump(public_key, int(listen_port), tuple(map(_peer, rest)))
    except ValueError:
        raise Damaged("wg shows something that cannot be read.", "See: wg show") from None


def _peer(fields: list[str]) -> DumpedPeer:
    public_key, preshared_key, endpoint, allowed, handshake, rx, tx, _keepalive = fields
    status = PeerStatus(public_key, "" if endpoint == "(none)" else endpoint, int(handshake), int(rx), int(tx))
    return DumpedPeer(status, preshared_key, tuple(sorted(allowed.split(","))))


def compare(network: DesiredNetwork, public_key: str, dump: Dump) -> list[str]:
    """Return in words where the interface differs from ``network``; the words hold no secret."""
    found = []
    if dump.public_key != public_key:
        found.append("The tunnel has another key than the box's own.")
    if dump.listen_port != network.listen_port:
        found.append(f"The tunnel listens on port {dump.listen_port} instead of {network.listen_port}.")
    there = {peer.status.public_key: peer for peer in dump.peers}
    wanted = {peer.public_key: peer for peer in network.peers}
    found += [f"The tunnel lacks the device {peer.ipv4}." for key, peer in wanted.items() if key not in there]
    found += [f"The tunnel has a device that nobody enrolled: {key}." for key in there if key not in wanted]
    for key in wanted.keys() & there.keys():
        found += [text.format(wanted[key].ipv4) for text, differs in _CHECKS if differs(wanted[key], there[key])]
    return found


_CHECKS: tuple[tuple[str, Callable[[Peer, DumpedPeer], bool]], ...] = (
    (
        "The device {} may send from other addresses than its own.",
        lambda peer, found: found.allowed != tuple(sorted((f"{peer.ipv4}/32", f"{peer.ipv6}/128"))),
    ),
    ("The device {} has another preshared key.", lambda peer, found: found.preshared_key != peer.preshared_key),
)
