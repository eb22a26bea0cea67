"""A line where nothing arrives from outside: a rented host passes the one UDP port on, and can do nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.box import OWNER, wait_for
from tests.lab.machines import LabBox, WireGuardApp, answers_junk, open_tcp
from tests.lab.places import BOX4, WIREGUARD, Places, places
from tests.lab.templates import rendered
from tests.netd.box import probe, reaches
from tests.netd.namespaces import Namespace, cable, namespaces

RELAY4 = "203.0.123.2"
BOX_PORT = 51821
INSIDE4 = "172.31.255.2"


@dataclass(frozen=True)
class Line:
    """A box behind a carrier that lets nothing in, a relay, and a phone."""

    places: Places
    relay: Namespace
    box: LabBox
    app: WireGuardApp
    folder: Path


def set_up(space: Namespace, folder: Path, key: str, files: dict[str, str]) -> None:
    """Put the files where the role puts them, in this machine's own /etc/wireguard, and start what the role starts."""
    space.run("mount", "-t", "tmpfs", "tmpfs", "/etc/wireguard")
    for name, text in {**files, "negato-relay.key": f"{key}\n"}.items():
        space.run("sh", "-c", f"umask 077; cat > /etc/wireguard/{name}", stdin=text.encode())
    space.run("wg-quick", "up", "negato-relay")


def keys() -> tuple[str, str]:
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
    return private.strip(), public.strip()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("relay")
    with places() as made, namespaces("relay") as (relay,):
        made.forward("drop")
        cable(made.internet, relay, device="rent0", subnet4="203.0.123", subnet6="2001:db8:123", hosts=(1, 2))
        relay.run("ip", "route", "add", "default", "via", "203.0.123.1")
        relay.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        box = LabBox(folder, made.box)
        box.init()
        box.start()
        box.command("device", "endpoint", "--outside", f"{RELAY4}:{WIREGUARD}", "--cabinet", f"{BOX4}:{WIREGUARD}")
        (box_key, box_public), (relay_key, relay_public) = keys(), keys()
        values = {"relay_port": WIREGUARD, "relay_box_port": BOX_PORT, "relay_box_public_key": box_public}
        set_up(
            relay,
            folder,
            relay_key,
            {name: rendered("relay", f"{name}.j2", **values) for name in ("negato-relay.conf", "negato-relay.nft")},
        )
        theirs = {
            "negatoscope_relay_public_key": relay_public,
            "negatoscope_relay_endpoint": f"{RELAY4}:{BOX_PORT}",
        }
        conf = rendered("negatoscope", "negato-relay.conf.j2", **theirs)
        set_up(made.box, folder, box_key, {"negato-relay.conf": conf})
        try:
            yield Line(made, relay, box, WireGuardApp(made.phone, folder), folder)
        finally:
            box.stop()


def test_a_phone_comes_in_through_the_relay(line: Line) -> None:
    _, outside, _ = line.box.invite(OWNER, "Relais", line.folder)
    assert f"Endpoint = {RELAY4}:{WIREGUARD}" in outside
    line.app.on(outside)
    wait_for(lambda: reaches(line.places.phone, line.box.address(), 80), 20)
    assert json.loads(line.box.command("way-in", "status", "--json"))["reached"] > 0
    line.app.off()


def test_the_relay_itself_reaches_nothing_of_the_box(line: Line) -> None:
    addresses = (INSIDE4, line.box.address())
    line.relay.run("ip", "route", "replace", f"{line.box.address()}/32", "dev", "negato-relay")
    places = [(address, port) for address in addresses for port in (22, 80, 443, 11112, 11113)]
    assert set(probe(line.relay, *places)) == {"silent"}


def test_the_box_reaches_nothing_of_the_relay(line: Line) -> None:
    listening = line.relay.start("python3", "-m", "http.server", "8000", "--bind", "172.31.255.1")
    wait_for(lambda: reaches(line.relay, "172.31.255.1", 8000), 10)
    assert probe(line.places.box, ("172.31.255.1", 8000)) == ["silent"]
    listening.kill()


def test_an_attacker_at_the_relay_hears_nothing_of_the_box(line: Line) -> None:
    attacker = line.places.attacker
    assert answers_junk(attacker, RELAY4, WIREGUARD) == ""
    assert "open" not in open_tcp(attacker, RELAY4, "1-1024,8000,11112").values()
