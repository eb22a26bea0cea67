"""The tunnel of a box: devices reach the pages through it and nothing else, and nobody reaches anything without it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from appliance.network.desired import Reach
from tests.netd.box import (
    INSIDE4,
    INSIDE6,
    NETWORK,
    OUTSIDE4,
    OUTSIDE6,
    OWN4,
    OWN6,
    Phone,
    eventually,
    probe,
    reaches,
    with_peers,
)
from tests.netd.conftest import Ground

OPEN_INSIDE: dict[Reach, tuple[int, ...]] = {"pages": (80, 443, 11113), "recovery": (80,), "wizard": (80,)}
PORTS = (80, 443, 11112, 11113, 2222)
DOWNLOAD = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 80), 20)
connection.settimeout(20)
count = 0
while True:
    connection.sendall(b"more")
    assert connection.recv(64) == b"answer\\n"
    count += 1
    print(count, flush=True)
"""


@contextmanager
def connected(ground: Ground, phone: Phone, endpoint: str = f"{OUTSIDE4}:51820") -> Iterator[None]:
    phone.connect(ground.net, ground.folder, ground.netd.public_key(), endpoint)
    try:
        yield
    finally:
        phone.disconnect(ground.net, ground.folder)


@pytest.mark.parametrize("reach", OPEN_INSIDE)
def test_a_device_reaches_what_it_may_and_nothing_else(shared: Ground, reach: Reach) -> None:
    phone = Phone.make(2, reach)
    status = shared.netd.apply(with_peers(phone))
    assert (status.up, status.listen_port, status.differences) == (True, 51820, ())
    with connected(shared, phone):
        eventually(lambda: reaches(shared.net, OWN4, 80))
        for address in (OWN4, OWN6):
            found = dict(zip(PORTS, probe(shared.net, *((address, port) for port in PORTS)), strict=True))
            assert found == {port: "answer" if port in OPEN_INSIDE[reach] else "silent" for port in PORTS}
        (seen,) = shared.netd.status().peers
    assert seen.public_key == phone.peer.public_key
    assert seen.endpoint.startswith("203.0.113.9:") and seen.latest_handshake > 0 and seen.rx > 0 and seen.tx > 0


def test_the_tunnel_works_over_ipv6(shared: Ground) -> None:
    phone = Phone.make(2)
    shared.netd.apply(with_peers(phone))
    with connected(shared, phone, f"[{OUTSIDE6}]:51820"):
        eventually(lambda: reaches(shared.net, OWN6, 80))
        assert shared.netd.status().peers[0].endpoint.startswith("[2001:db8:113::9]:")


def test_nobody_outside_meets_anything_but_silence(shared: Ground) -> None:
    shared.netd.apply(with_peers(Phone.make(2), senders=("192.168.77.9", "fd77::9")))
    places = [(address, port) for address in (OUTSIDE4, OUTSIDE6) for port in (22, 51820, *PORTS)]
    assert set(probe(shared.net, *places)) == {"silent"}


def test_a_neighbour_reaches_the_dicom_ports_alone_and_only_when_confirmed(shared: Ground) -> None:
    places = [(address, port) for address in (INSIDE4, INSIDE6) for port in (22, *PORTS)]
    shared.netd.apply(NETWORK)
    assert set(probe(shared.lan, *places)) == {"silent"}
    assert shared.netd.apply(with_peers(senders=("192.168.77.9", "fd77::9"))).differences == ()
    found = dict(zip(places, probe(shared.lan, *places), strict=True))
    assert {place for place, said in found.items() if said == "answer"} == {
        (address, port) for address in (INSIDE4, INSIDE6) for port in (11112, 11113)
    }
    assert set(found.values()) == {"answer", "silent"}


def test_a_neighbour_who_routes_the_tunnel_through_the_box_does_not_reach_it(shared: Ground) -> None:
    """The box is the neighbour's gateway here, and may send elsewhere what it does not keep for itself."""
    shared.box.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    phone = Phone.make(2)
    shared.netd.apply(with_peers(phone, senders=("192.168.77.9", "fd77::9")))
    places = [(address, port) for address in (OWN4, OWN6) for port in PORTS]
    assert set(probe(shared.lan, *places)) == {"silent"}
    assert probe(shared.lan, ("203.0.113.9", 80), ("2001:db8:113::9", 80)) == ["silent"] * 2, "the box forwards"
    shared.lan.run("ip", "address", "add", f"{phone.peer.ipv4}/32", "dev", "lo")
    as_phone = ["ping", "-c1", "-W1", "-I", str(phone.peer.ipv4), OWN4]
    assert not shared.lan.works(*as_phone), "an address of the tunnel counts from elsewhere"
    shared.lan.run("ip", "address", "delete", f"{phone.peer.ipv4}/32", "dev", "lo")


def test_an_unknown_sender_is_listed_until_it_is_confirmed(shared: Ground) -> None:
    began = int(time.time())
    shared.netd.apply(NETWORK)
    probe(shared.lan, (INSIDE4, 11112), (INSIDE6, 11112), (INSIDE4, 22))
    listed = {sender.address: sender for sender in shared.netd.status().unknown_senders}
    assert set(listed) == {"192.168.77.9", "fd77::9"}
    assert all(sender.packets > 0 and began - 2 <= sender.last <= time.time() for sender in listed.values())
    confirmed = shared.netd.apply(with_peers(senders=("192.168.77.9",)))
    assert {sender.address for sender in confirmed.unknown_senders} == set(listed), "the list survives a change"
    assert reaches(shared.lan, INSIDE4, 11112)


def test_a_sender_who_is_taken_off_the_list_is_out_in_the_middle_of_a_connection(shared: Ground) -> None:
    shared.netd.apply(with_peers(senders=("192.168.77.9",)))
    script = DOWNLOAD.replace("80)", "11112)")
    sender = shared.lan.start("python3", "-c", script, INSIDE4, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert sender.stdout is not None and sender.stdout.readline() == b"1\n"
    shared.netd.apply(NETWORK)
    _answers(sender, 0.2)  # What was on its way.
    assert _answers(sender, 1) == b""
    sender.kill()


def _answers(download: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return what a download prints for each answer that it gets in the next ``seconds``."""
    assert download.stdout is not None
    os.set_blocking(download.stdout.fileno(), False)
    time.sleep(seconds)
    return download.stdout.read() or b""


def test_attempts_from_public_addresses_are_counted_as_proof_of_an_open_router(shared: Ground) -> None:
    shared.netd.apply(NETWORK)
    probe(shared.net, (OUTSIDE4, 22), (OUTSIDE6, 8443), (OUTSIDE4, 11112))
    probe(shared.lan, (INSIDE4, 23))
    found = {(outsider.address, outsider.port) for outsider in shared.netd.status().outsiders}
    assert {("203.0.113.9", 22), ("2001:db8:113::9", 8443), ("203.0.113.9", 11112)} <= found
    assert not any(address.startswith(("192.168", "fd77")) for address, _ in found)
    assert "203.0.113.9" not in {sender.address for sender in shared.netd.status().unknown_senders}


def test_devices_come_and_go_while_another_one_downloads(shared: Ground) -> None:
    phone, others = Phone.make(2), [Phone.make(number) for number in range(3, 13)]
    shared.netd.apply(with_peers(phone))
    with connected(shared, phone):
        eventually(lambda: reaches(shared.net, OWN4, 80))
        download = shared.net.start("python3", "-c", DOWNLOAD, OWN4, stdout=subprocess.PIPE)
        assert download.stdout is not None
        for count in range(len(others)):
            assert download.stdout.readline()
            assert shared.netd.apply(with_peers(phone, *others[:count])).differences == ()
        for _ in range(3):
            before = int(download.stdout.readline())
        assert before > 3 and download.poll() is None
        download.kill()


def test_a_revoked_device_gets_no_further_answer(shared: Ground) -> None:
    phone = Phone.make(2)
    shared.netd.apply(with_peers(phone))
    with connected(shared, phone):
        eventually(lambda: reaches(shared.net, OWN4, 80))
        download = shared.net.start("python3", "-c", DOWNLOAD, OWN4, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert download.stdout is not None and download.stdout.readline()
        began = time.monotonic()
        assert shared.netd.apply(NETWORK).peers == ()
        seconds = time.monotonic() - began
        _answers(download, 0.2)  # What was on its way.
        assert probe(shared.net, (OWN4, 80)) == ["silent"]
        assert _answers(download, 0.5) == b""
        download.kill()
    print(f"out {seconds:.3f} s after the request")
    assert seconds < 1


def test_a_device_whose_reach_is_narrowed_loses_its_open_connection(shared: Ground) -> None:
    phone = Phone.make(2)
    shared.netd.apply(with_peers(phone))
    with connected(shared, phone):
        eventually(lambda: reaches(shared.net, OWN4, 443))
        narrowed = replace(phone.peer, reach="recovery")
        assert shared.netd.apply(replace(NETWORK, peers=(narrowed,))).differences == ()
        assert probe(shared.net, (OWN4, 443), (OWN4, 80)) == ["silent", "answer"]


def test_the_open_port_is_silent_to_strangers_even_when_nothing_listens_behind_it(shared: Ground) -> None:
    shared.netd.apply(with_peers(Phone.make(2)))
    assert _udp(shared) == "silent"
    shared.box.run("ip", "link", "delete", "negato0")
    assert _udp(shared) == "silent"
    assert shared.netd.apply(NETWORK).differences == ()


def _udp(ground: Ground) -> str:
    """Throw junk at the port from a connected socket, which hears of an ICMP error; say what came back."""
    script = (
        "import os, socket\n"
        f"for family, address in ((socket.AF_INET, '{OUTSIDE4}'), (socket.AF_INET6, '{OUTSIDE6}')):\n"
        "    thrower = socket.socket(family, socket.SOCK_DGRAM)\n"
        "    thrower.settimeout(0.3)\n"
        "    thrower.connect((address, 51820))\n"
        "    for size in (0, 1, 32, 64, 92, 148, 1200):\n"
        "        for first in (b'', b'\\1\\0\\0\\0', b'\\4\\0\\0\\0'):\n"
        "            thrower.send((first + os.urandom(size))[:size])\n"
        "    try:\n"
        "        print('answered', thrower.recv(10))\n"
        "    except TimeoutError: pass\n"
        "    except OSError as error: print(error)\n"
    )
    return ground.net.run("python3", "-c", script).strip() or "silent"


def test_disabling_leaves_no_tunnel_and_a_closed_firewall(shared: Ground) -> None:
    phone = Phone.make(2)
    shared.netd.apply(with_peers(phone, senders=("192.168.77.9",)))
    status = shared.netd.disable_all()
    assert (status.up, status.peers, status.differences) == (False, (), ())
    assert "negato0" not in shared.box.run("ip", "link")
    assert set(probe(shared.net, (OUTSIDE4, 80), (OUTSIDE6, 2222))) == {"silent"}
    assert probe(shared.lan, (INSIDE4, 80), (INSIDE4, 11112)) == ["silent", "answer"]


def test_a_practice_that_has_the_tunnels_network_is_told_apart_and_nothing_is_put_back_for_it(shared: Ground) -> None:
    shared.netd.apply(with_peers(Phone.make(2)))
    status = shared.netd.status()
    assert status.differences == () and {f"{INSIDE4}/24", f"{INSIDE6}/64"} <= set(status.local)
    assert not any(OWN4 in one or OWN6 in one for one in status.local)
    shared.box.run("ip", "address", "add", "10.83.12.200/16", "dev", "lan0")
    try:
        (said,) = shared.netd.status().differences
        assert "10.83.12.0/24" in said and "10.83.12.200/16" in said
        time.sleep(12)  # It is looked after every ten seconds.
        assert b"network_changed_by_another" not in shared.netd.log.read_bytes()
    finally:
        shared.box.run("ip", "address", "delete", "10.83.12.200/16", "dev", "lan0")
    assert shared.netd.status().differences == ()
