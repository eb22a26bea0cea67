"""From one line to the answer: the table of verbs, and what is written down of a request that is refused."""

from __future__ import annotations

from collections.abc import Callable

from appliance.errors import EnvironmentProblem, NegatoError
from appliance.logs import log, log_unexpected
from appliance.netd.tunnel import Tunnel
from appliance.network import netd_wire
from appliance.network.desired import DesiredNetwork
from appliance.network.netd_wire import Request, Verb


def answer(tunnel: Tunnel, raw: bytes, user: int) -> bytes:
    """Return the line that answers ``raw``, sent by ``user``; never raises."""
    request: Request | None = None
    try:
        request = netd_wire.decode_request(raw)
        return _TABLE[request.verb](tunnel, request)
    except NegatoError as error:
        log_refused(error, user, request.verb if request else "")
        return netd_wire.encode_error(error)
    except Exception as error:
        # One request must not end the process that holds the firewall.
        log_unexpected(error)
        return netd_wire.encode_error(EnvironmentProblem("netd failed where it should not.", "See its log."))


def log_refused(error: NegatoError, user: int, verb: str = "") -> None:
    """Write down that a request was refused. The texts of our errors name fields and hold no value of a request."""
    log("refused", user=user, verb=verb, kind=type(error).__name__, reason=error.message)


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
