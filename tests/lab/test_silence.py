"""Nothing of the box answers anybody who was not let in, whatever the practice's router does.

A claim is made twice: of the box as it is, and of a box or a router that was broken on purpose, where the same check
must fail.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.box import wait_for
from tests.lab.conftest import Practice
from tests.lab.machines import answers_junk, open_tcp, store
from tests.lab.places import BOX4, BOX6, DMZ, FORWARDED, NEIGHBOUR4, ROUTER4, SENSOR4, WIREGUARD
from tests.netd.box import probe
from tests.netd.namespaces import Namespace

OURS = (80, 443, 11112, 11113)


def require_silence(attacker: Namespace, ports: str = "1-65535") -> None:
    """Fail when anything answers: TCP ports, and junk at the UDP port, IPv4 and IPv6."""
    heard: dict[str, object] = {address: open_tcp(attacker, address, ports) for address in (ROUTER4, BOX6)}
    heard |= {f"junk {address}": answers_junk(attacker, address, WIREGUARD) for address in (ROUTER4, BOX6)}
    assert not any(heard.values()), str(heard)


def require_no_proof_of_exposure(practice: Practice) -> None:
    """Fail when a packet of a stranger has reached the box elsewhere than at its one port."""
    listed = practice.places.box.run("nft", "list", "set", "inet", "negatoscope", "outsiders4")
    assert "203.0.122.2" not in listed, listed


# The firewall as somebody would write it who has IPv4 in mind alone.
IPV4_ALONE = "".join(
    f"insert rule inet negatoscope {chain} meta nfproto ipv6 accept\n" for chain in ("guard", "input", "output")
)
WITHOUT_FIREWALL = "delete table inet negatoscope\n"
# One that says no instead of nothing.
IMPOLITE = "insert rule inet negatoscope input iifname lan0 meta l4proto tcp reject with tcp reset\n"
# It has nothing to say, and answers.
CHATTY = f"""
import socket
talker = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
talker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
talker.bind(("::", {WIREGUARD}))
print("up", flush=True)
while True:
    talker.sendto(b"?", talker.recvfrom(2048)[1])
"""


@contextmanager
def otherwise(practice: Practice, *commands: tuple[str, ...], rules: str = "") -> Iterator[None]:
    """Change the box's network behind netd's back, which is held meanwhile and puts it right when it starts anew."""
    box = practice.places.box
    try:
        with practice.box.stopped("netd"):
            for command in commands:
                box.run(*command)
            box.run("nft", "-f", "-", stdin=rules.encode())
            yield
    finally:
        practice.box.renew("netd")
        wait_for(lambda: practice.box.tunnel().differences == (), 15)


@contextmanager
def chatty(space: Namespace) -> Iterator[None]:
    """Have a program in WireGuard's place that answers whatever it is told."""
    talker = space.start(sys.executable, "-c", CHATTY, stdout=subprocess.PIPE)
    assert talker.stdout is not None and talker.stdout.readline() == b"up\n"
    try:
        yield
    finally:
        talker.kill()
        talker.wait()


def test_an_attacker_who_tries_every_port_hears_nothing_and_reaches_nothing(practice: Practice) -> None:
    require_silence(practice.places.attacker, "1-1024,8080,11112,11113")
    require_no_proof_of_exposure(practice)


def test_a_firewall_that_knows_ipv4_alone_fails_the_scan(practice: Practice) -> None:
    with otherwise(practice, rules=IPV4_ALONE), pytest.raises(AssertionError, match=f"'{BOX6}': {{80: 'open'") as found:
        require_silence(practice.places.attacker, "80,11112")
    assert f"'{ROUTER4}': {{}}" in str(found.value), "only IPv6 was left open"


def test_a_firewall_that_says_no_fails_the_scan(practice: Practice) -> None:
    with otherwise(practice, rules=IMPOLITE), pytest.raises(AssertionError, match=f"'{BOX6}': .*'closed'"):
        require_silence(practice.places.attacker, "1-1024")


def test_what_answers_junk_fails_the_scan(practice: Practice) -> None:
    attacker, gone = practice.places.attacker, ("ip", "link", "delete", "negato0")
    with otherwise(practice, gone):
        require_silence(attacker, "80")  # Nothing listens: the box's firewall keeps that to itself as well.
        answered = f"'junk {ROUTER4}': .answered.*'junk {BOX6}': .answered"
        with chatty(practice.places.box), pytest.raises(AssertionError, match=answered):
            require_silence(attacker, "80")
    refused = f"'junk {ROUTER4}': '.*refused.*'junk {BOX6}': '.*refused"
    with otherwise(practice, gone, rules=WITHOUT_FIREWALL), pytest.raises(AssertionError, match=refused):
        require_silence(attacker, "80")
    require_silence(attacker, "80,11112")


def test_behind_a_router_in_dmz_mode_the_box_is_as_silent_and_knows_that_it_is_exposed(practice: Practice) -> None:
    practice.places.forward(DMZ)
    try:
        require_silence(practice.places.attacker)
        with pytest.raises(AssertionError, match=r"203\.0\.122\.2"):
            require_no_proof_of_exposure(practice)
        opened = f"'{ROUTER4}': {{80: 'open'.*'{BOX6}': {{80: 'open'"
        with otherwise(practice, rules=WITHOUT_FIREWALL), pytest.raises(AssertionError, match=opened):
            require_silence(practice.places.attacker, "80,11112")
        require_silence(practice.places.attacker, "80,11112")
    finally:
        practice.places.forward(FORWARDED)


def require_closed_to(neighbour: Namespace, tunnel4: str, tunnel6: str) -> None:
    """Fail when a neighbour gets an answer, by the box's addresses or by routing the tunnel's through it."""
    for network, way in ((f"{tunnel4}/32", BOX4), (f"{tunnel6}/128", BOX6)):
        neighbour.run("ip", "route", "replace", network, "via", way)
    places = [(address, port) for address in (BOX4, BOX6, tunnel4, tunnel6) for port in (22, *OURS)]
    found = dict(zip(places, probe(neighbour, *places), strict=True))
    heard = {place: said for place, said in found.items() if said != "silent"}
    assert not heard, str(heard)


def test_a_neighbour_in_the_practice_reaches_nothing(practice: Practice) -> None:
    practice.box.invite("Dr Essai", "Un téléphone", practice.folder)
    tunnel = json.loads(practice.places.box.run("ip", "-json", "address", "show", "negato0"))[0]["addr_info"]
    addresses = [one["local"] for one in tunnel if not one["local"].startswith("fe80")]
    require_closed_to(practice.places.neighbour, *addresses)
    # Each of the box's addresses and of the tunnel's, in this order.
    answers = ".*".join(f"'{address}', 80\\): 'answer'" for address in (BOX4, BOX6, *addresses))
    with otherwise(practice, rules=WITHOUT_FIREWALL), pytest.raises(AssertionError, match=answers):
        require_closed_to(practice.places.neighbour, *addresses)


def equipment(practice: Practice) -> dict[str, str]:
    """Return the state of each address that the box knows of or asks about."""
    return {row["address"]: row["state"] for row in json.loads(practice.box.command("equipment", "list", "--json"))}


def test_an_unknown_sensor_is_asked_about_and_stores_once_it_is_confirmed(practice: Practice) -> None:
    sensor = practice.places.sensor
    assert store(sensor).returncode != 0
    assert equipment(practice)[SENSOR4] == "unknown"
    with practice.box.login() as client:
        (card,) = [one for one in client.get("/api/equipment").json() if one["address"] == SENSOR4]
        assert card["state"] == "unknown"
        yes = {"address": SENSOR4, "decision": "confirm", "name": "Capteur"}
        assert client.post("/api/equipment", json=yes).status_code == 204
        assert equipment(practice)[SENSOR4] == "confirmed"
        done = store(sensor)
        assert done.returncode == 0, done.stderr.decode()
        practice.box.settled(client, 1, 20)
    assert store(practice.places.neighbour).returncode != 0
    found = dict(zip(OURS, probe(sensor, *((BOX4, port) for port in OURS)), strict=True))
    assert {port for port, said in found.items() if said == "silent"} == {80, 443}
    practice.box.command("equipment", "refuse", SENSOR4)
    assert store(sensor).returncode != 0
    assert NEIGHBOUR4 in equipment(practice)
