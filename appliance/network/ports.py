"""The table of ports: nothing of the box listens elsewhere, and netd opens no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Port:
    """One port of the box: its number, its protocol, from where it may be reached."""

    number: int
    protocol: Literal["tcp", "udp"]
    reached_from: Literal["anywhere", "tunnel", "senders"]


WIREGUARD = Port(51820, "udp", "anywhere")  # the number alone may be set otherwise: NEGATO_WIREGUARD_PORT
HTTP = Port(80, "tcp", "tunnel")
HTTPS = Port(443, "tcp", "tunnel")
DICOM = Port(11112, "tcp", "senders")
QUERY = Port(11113, "tcp", "senders")

TABLE = (WIREGUARD, HTTP, HTTPS, DICOM, QUERY)
