"""The key agent's socket: who may connect, one thread a caller, and the watch that tells of locking by its end."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from appliance import sockets
from appliance.errors import BadInput
from appliance.keyring import wire
from appliance.keyring.agent import Agent
from appliance.keyring.leases import Caller

MOST_CALLERS = 64
SWEEP_SECONDS = 1.0


def serve(listener: socket.socket, agent: Agent) -> None:
    """Answer callers until the archive is locked; then return, so that the process can end and forget."""
    allowed = sockets.callers()
    places = threading.BoundedSemaphore(MOST_CALLERS)
    listener.settimeout(SWEEP_SECONDS)
    threading.Thread(target=_sweep, args=(agent,), daemon=True).start()
    while not agent.over.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        connection.settimeout(None)
        caller = _peer(connection)
        if caller.user not in allowed or not places.acquire(blocking=False):
            connection.close()
            continue
        threading.Thread(target=_talk, args=(connection, caller, agent, places), daemon=True).start()
    agent.finish("stopped")


def _talk(connection: socket.socket, caller: Caller, agent: Agent, places: threading.BoundedSemaphore) -> None:
    try:
        with contextlib.suppress(OSError), connection:
            try:
                while (request := wire.receive(connection)) is not None:
                    if request == {"verb": "watch"}:
                        _watch(connection, caller, agent)
                        break
                    wire.send(connection, agent.answer(request, caller))
            except BadInput as error:
                wire.send(connection, {"error": "BadInput", "message": error.message, "next_step": ""})
    finally:
        places.release()


def _watch(connection: socket.socket, caller: Caller, agent: Agent) -> None:
    """Send the state at once and after every change, until the caller or the agent goes."""
    while not agent.over.is_set():
        with agent.changed:
            wire.send(connection, {"ok": agent.status(caller)})
            agent.changed.wait(timeout=30)


def _sweep(agent: Agent) -> None:
    while not agent.over.wait(SWEEP_SECONDS):
        agent.sweep()


def _peer(connection: socket.socket) -> Caller:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", credentials)
    return Caller(user, process)
