"""How a caller and the key agent talk: one length-prefixed JSON object each way over AF_UNIX."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from appliance.errors import BadInput

LONGEST = 16 * 1024 * 1024


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message."""
    raw = json.dumps(message, separators=(",", ":")).encode()
    connection.sendall(struct.pack(">I", len(raw)) + raw)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Return the next message, ``None`` at the end; :class:`BadInput` for anything else than a JSON object."""
    head = _exactly(connection, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if length > LONGEST:
        raise BadInput("A message to the key agent is too long.")
    raw = _exactly(connection, length)
    if raw is None:
        return None
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput("A message to the key agent is not JSON.") from error
    if not isinstance(message, dict):
        raise BadInput("A message to the key agent is not an object.")
    return message


def _exactly(connection: socket.socket, length: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(min(length - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)
