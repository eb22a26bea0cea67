"""One question to the router by UDP: sent again while it is silent, and only the router's own answer is heard."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from appliance.courier.lane import Lane
from appliance.errors import BadInput

Answer = TypeVar("Answer")

# RFC 6886, 3.1: a quarter of a second, doubled each time. Its nine rounds take a minute; a router beside us needs none.
PAUSES = (0.25, 0.5, 1.0, 1.0)
LONGEST = 2048


class Nonsense(Exception):
    """The router answered, and nothing of it was an answer."""


def ask(lane: Lane, port: int, question: bytes, read: Callable[[bytes], Answer], *others: bytes) -> Answer | None:
    """Return what ``read`` makes of the router's answer to ``question`` or its ``others``, ``None`` if it gives none.

    ``read`` raises :class:`BadInput` for what is no answer to this question, which is waited for further;
    :class:`Nonsense` if nothing else came.
    """
    family = socket.AF_INET if lane.router.version == 4 else socket.AF_INET6
    garbled = False
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.bind((str(lane.own), 0))
            asked.connect(lane.place(port))
            for pause in PAUSES:
                for one in (question, *others):
                    asked.send(one)
                deadline = time.monotonic() + pause
                while (left := deadline - time.monotonic()) > 0:
                    asked.settimeout(left)
                    try:
                        return read(asked.recv(LONGEST))
                    except BadInput:
                        garbled = True
                    except TimeoutError:
                        break
    except OSError:
        pass  # Unreachable, or refused by ICMP: nobody is there.
    if garbled:
        raise Nonsense
    return None
