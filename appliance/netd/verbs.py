"""From one line to the answer: the table of verbs."""

from __future__ import annotations

from collections.abc import Callable

from appliance.logs import log
from appliance.netd.tunnel import Tunnel
from appliance.network import netd_wire
from appliance.network.desired import DesiredNetwork
from appliance.network.netd_wire import Request, Verb


def respond(tunnel: Tunnel, raw: bytes) -> bytes:
    """Return the line that answers ``raw``; raises :class:`~appliance.errors.NegatoError` for what is refused."""
    request = netd_wire.decode_request(raw)
    return _TABLE[request.verb](tunnel, request)


def _status(tunnel: Tunnel, _request: Request) -> bytes:
    return netd_wire.encode_status(tunnel.status())


def _apply(tunnel: Tunnel, request: Request) -> bytes:
    network = request.network
    assert isinstance(network, DesiredNetwork)  # decode_request gives apply one, or refuses
    status = netd_wire.encode_status(tunnel.apply(network))
    log("applied", peers=len(network.peers), senders=len(network.senders))
    return status


def _disable_all(tunnel: Tunnel, _request: Request) -> bytes:
    status = netd_wire.encode_status(tunnel.disable_all())
    log("disabled")
    return status


def _server_public_key(tunnel: Tunnel, _request: Request) -> bytes:
    return netd_wire.encode_public_key(tunnel.server_public_key())


_TABLE: dict[Verb, Callable[[Tunnel, Request], bytes]] = {
    "status": _status,
    "apply": _apply,
    "disable_all": _disable_all,
    "server_public_key": _server_public_key,
}
