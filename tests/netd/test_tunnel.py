"""The tunnel of a box: devices reach the pages through it and nothing else, and nobody reaches anything without it."""

from __future__ import annotations

import pytest

from tests.netd.box import INSIDE4, INSIDE6, OUTSIDE4, OUTSIDE6, OWN4, OWN6, Phone, eventually, reaches, with_peers
from tests.netd.conftest import Ground

OTHER_PORTS = (11112, 2222)


def test_a_device_reaches_the_pages_through_the_tunnel_and_nothing_else(ground: Ground) -> None:
    phone = Phone.make(2)
    status = ground.netd.apply(with_peers(phone))
    assert (status.up, status.listen_port, status.differences) == (True, 51820, ())
    phone.connect(ground.net, ground.folder, ground.netd.public_key(), f"{OUTSIDE4}:51820")
    eventually(lambda: reaches(ground.net, OWN4, 80))
    for address in (OWN4, OWN6):
        assert all(reaches(ground.net, address, port) for port in (80, 443, 11113))
        assert not any(reaches(ground.net, address, port, 0.5) for port in OTHER_PORTS)
    (seen,) = ground.netd.status().peers
    assert seen.public_key == phone.peer.public_key
    assert seen.endpoint.startswith("203.0.113.9:") and seen.latest_handshake > 0 and seen.rx > 0 and seen.tx > 0
