"""A process that answers questions at a local socket: who may connect, one bounded line each way, one at a time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from appliance import sockets
from appliance.errors import EnvironmentProblem, NegatoError, Refused
from appliance.logs import log, log_unexpected

TICK_SECONDS = 1.0
# Callers are processes of the box; one that dawdles holds up the others no longer than this.
CALLER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answering:
    """What the process ``name`` does: ``respond`` to a line of ``longest`` bytes at most with a line, or raise a
    :class:`NegatoError`, which ``encode_error`` makes a line of; and ``tick``, about every second."""

    name: str
    longest: int
    respond: Callable[[bytes], bytes]
    encode_error: Callable[[NegatoError], bytes]
    tick: Callable[[], None] = lambda: None


def serve(listener: socket.socket, process: Answering, allowed: Collection[int], over: threading.Event) -> None:
    """Answer callers whose user is in ``allowed`` until ``over`` is set. What is refused is logged."""
    listener.settimeout(TICK_SECONDS)
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            _tick(process)
            continue
        with contextlib.suppress(OSError), connection:
            _talk(connection, process, allowed)
        _tick(process)


def _talk(connection: socket.socket, process: Answering, allowed: Collection[int]) -> None:
    user = sockets.peer_uid(connection)
    try:
        if user not in allowed:
            raise Refused(f"This user may not talk to {process.name}.")
        reply = process.respond(sockets.read_line(connection, process.longest, CALLER_SECONDS))
    except NegatoError as error:
        # The texts of our errors name fields and hold no value of a request.
        log("refused", user=user, kind=type(error).__name__, reason=error.message)
        reply = process.encode_error(error)
    except OSError:
        raise
    except Exception as error:
        # One request must not end the process.
        log_unexpected(error)
        problem = EnvironmentProblem(f"{process.name} failed where it should not.", "See its log.")
        reply = process.encode_error(problem)
    connection.settimeout(CALLER_SECONDS)
    connection.sendall(reply)


def _tick(process: Answering) -> None:
    try:
        process.tick()
    except Exception as error:
        # What is due is tried again at the next tick; the process itself must live.
        log_unexpected(error)
