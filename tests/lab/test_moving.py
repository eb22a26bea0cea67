"""Whatever happens to networks and processes, the tunnel comes back without a hand on the phone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.box import OWNER, PASSPHRASE, wait_for
from tests.lab.clock import wall_clock
from tests.lab.conftest import Practice
from tests.lab.machines import Download
from tests.netd.box import reaches
from tests.netd.namespaces import Namespace

YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def tunnels(practice: Practice) -> tuple[str, str]:
    """The phone, connected from 4G; its tunnels *Dehors* and *Cabinet*."""
    _, outside, inside = practice.box.invite(OWNER, "Téléphone", practice.folder)
    practice.app.on(outside)
    wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), 20)
    return outside, inside


@pytest.fixture(scope="module")
def session(practice: Practice, tunnels: tuple[str, str]) -> Iterator[httpx.Client]:
    """A browser on the phone that is let in and logged in."""
    with practice.box.client_in(practice.places.phone, f"http://{practice.box.address()}") as client:
        assert client.post("/api/claim").status_code == 204
        assert client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE}).status_code == 200
        yield client


@pytest.fixture
def download(practice: Practice, tunnels: tuple[str, str]) -> Iterator[Download]:
    started = Download(practice.places.phone, practice.box.address())
    started.more()
    yield started
    started.end()


def test_the_phones_address_changes_while_it_downloads(practice: Practice, download: Download) -> None:
    phone = practice.places.phone
    phone.run("ip", "address", "add", "100.64.7.77/24", "dev", "cell0")
    phone.run("sysctl", "-qw", "net.ipv4.conf.cell0.promote_secondaries=1")
    phone.run("ip", "address", "delete", "100.64.7.2/24", "dev", "cell0")
    phone.run("ip", "route", "replace", "default", "via", "100.64.7.1")
    practice.app.network_changed()
    print(f"the download went on after {download.more():.1f} s")
    wait_for(lambda: practice.box.devices()["Téléphone"]["state"] == "active", 10)


def test_the_carriers_router_forgets_the_phone_while_it_downloads(practice: Practice, download: Download) -> None:
    before = practice.box.devices()["Téléphone"]["endpoint"]
    practice.places.rebind()
    assert download.more() < 10
    wait_for(lambda: practice.box.devices()["Téléphone"]["endpoint"] != before, 20)


def test_netd_is_killed_while_the_phone_downloads(practice: Practice, download: Download) -> None:
    killed = practice.box.children()["netd"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: practice.box.children().get("netd", killed) != killed, 10)
    assert download.more() < 1
    wait_for(lambda: practice.box.devices()["Téléphone"]["state"] == "active", 10)
    assert download.longest_pause() < 1
    # The same check where the tunnel ends with netd: it comes back, but not within the second.
    with practice.box.stopped("netd"):
        practice.box.space.run("ip", "link", "delete", "negato0")
        time.sleep(1.2)
    with contextlib.suppress(AssertionError):
        download.more()
    assert not download.goes_on or download.longest_pause() > 1
    wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), 20)


def test_the_phone_walks_into_the_practice_and_out_again(
    practice: Practice, tunnels: tuple[str, str], session: httpx.Client
) -> None:
    outside, inside = tunnels
    practice.places.on_wifi()
    try:
        practice.app.on(outside)
        assert not reaches(practice.places.phone, practice.box.address(), 80), "this router has a loop-back"
        practice.app.on(inside, "cabinet")
        wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), 10)
        assert session.get("/dicom-web/studies").status_code == 200, "the session survives the walk"
    finally:
        practice.places.on_4g()
        practice.app.on(outside)
    wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), 20)
    assert session.get("/dicom-web/studies").status_code == 200


@pytest.mark.parametrize(
    ("clock", "most"),
    [(0, 10), (-YEAR, 40)],
    ids=["the box calls the phone at once", "a year behind, the box calls from the past and the phone calls by itself"],
)
def test_after_a_power_cut_the_phone_is_back_by_itself(
    practice: Practice, tunnels: tuple[str, str], clock: int, most: float
) -> None:
    box = practice.box
    before = practice.app.process()
    # netd keeps where the phones are every minute, and when it is told to end.
    wait_for(lambda: reaches(practice.places.phone, box.address(), 80), 20)
    told = box.children()["netd"]
    os.kill(told, signal.SIGTERM)
    wait_for(lambda: box.children().get("netd", told) != told, 10)
    power_cut(box.space)
    assert box.process is not None
    box.process.wait(10)
    assert not reaches(practice.places.phone, practice.app.box_address(), 80, seconds=0.5)
    box.prefix = (*box.space.command(), *wall_clock(clock))
    began = time.monotonic()
    box.start()
    wait_for(lambda: reaches(practice.places.phone, box.address(), 80), most)
    print(f"the phone was back {time.monotonic() - began:.1f} s after the box was started")
    assert practice.app.process() == before
    # WireGuard itself believes in that clock: so it dates the handshake that let the phone back in.
    (handshake,) = box.space.run("wg", "show", "negato0", "latest-handshakes").split()[1::2]
    assert abs(int(handshake) - (time.time() + clock)) < 60
    with box.client_in(practice.places.phone, f"http://{box.address()}") as client:
        assert client.get("/api/status").json()["locked"] is True


def power_cut(space: Namespace) -> None:
    """End everything on a machine at once, and what its kernel knew of the tunnel and the firewall with it."""
    network = Path(f"/proc/{space.holder.pid}/ns/net").stat().st_ino
    assert network != Path("/proc/self/ns/net").stat().st_ino
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != space.holder.pid:
            with contextlib.suppress(OSError):
                if (entry / "ns/net").stat().st_ino == network:
                    os.kill(int(entry.name), signal.SIGKILL)
    wait_for(lambda: "negato0" not in space.run("ip", "link"), 10)
    space.run("nft", "flush", "ruleset")
