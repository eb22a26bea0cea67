"""netd's socket: who may connect, one bounded line each way, one caller at a time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Collection

from appliance import sockets
from appliance.errors import NegatoError, Refused
from appliance.logs import log_unexpected
from appliance.netd.tunnel import Tunnel
from appliance.netd.verbs import answer, log_refused
from appliance.network import netd_wire
from appliance.network.line import LONGEST

TICK_SECONDS = 1.0
# Callers are processes of the box; one that dawdles holds up the others no longer than this.
CALLER_SECONDS = 2.0


def serve(listener: socket.socket, tunnel: Tunnel, allowed: Collection[int], over: threading.Event) -> None:
    """Answer callers whose user is in ``allowed`` until ``over`` is set; then let the tunnel write down its end."""
    listener.settimeout(TICK_SECONDS)
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            _tick(tunnel)
            continue
        with contextlib.suppress(OSError), connection:
            _talk(connection, tunnel, allowed)
        _tick(tunnel)
    tunnel.stop()


def _talk(connection: socket.socket, tunnel: Tunnel, allowed: Collection[int]) -> None:
    user = sockets.peer_uid(connection)
    try:
        if user not in allowed:
            raise Refused("This user may not talk to netd.")
        raw = sockets.read_line(connection, LONGEST, CALLER_SECONDS)
    except NegatoError as error:
        log_refused(error, user)
        reply = netd_wire.encode_error(error)
    else:
        reply = answer(tunnel, raw, user)
    connection.settimeout(CALLER_SECONDS)
    connection.sendall(reply)


def _tick(tunnel: Tunnel) -> None:
    try:
        tunnel.tick()
    except Exception as error:
        # What is due is tried again at the next tick; netd itself must live.
        log_unexpected(error)
