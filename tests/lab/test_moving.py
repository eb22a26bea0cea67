"""Whatever happens to networks and processes, the tunnel comes back without a hand on the phone.

Each check is made again of a box or a phone that does otherwise, and fails.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.box import OWNER, PASSPHRASE, wait_for
from tests.broken import broken, whole_again
from tests.lab.clock import wall_clock
from tests.lab.conftest import Practice
from tests.lab.machines import Download
from tests.lab.places import BOX4, ROUTER4, WIREGUARD
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


# A box that answers at the port where it heard the phone first, whichever the phone has now.
STEADFAST = """
table ip steadfast {{
    chain out {{ type filter hook output priority raw; udp sport {ours} udp dport set {theirs}; }}
}}
"""


@contextmanager
def without_roaming(practice: Practice) -> Iterator[None]:
    """Have the box answer the phone where it is now, for as long as the context lasts."""
    rules = STEADFAST.format(ours=WIREGUARD, theirs=endpoint(practice).rpartition(":")[2])
    practice.box.space.run("nft", "-f", "-", stdin=rules.encode())
    try:
        yield
    finally:
        practice.box.space.run("nft", "delete", "table", "ip", "steadfast")


def endpoint(practice: Practice) -> str:
    """Return where the box sees the phone, its only device."""
    return practice.box.space.run("wg", "show", "negato0", "endpoints").split()[1]


def require_followed(practice: Practice, download: Download, move: Callable[[], None], patience: float = 10) -> float:
    """Fail unless the box follows a phone that ``move`` gave another endpoint, within ``patience`` seconds and without
    a new connection; return how long it took."""
    before = endpoint(practice)
    move()
    seconds = download.more(seconds=patience)
    wait_for(lambda: endpoint(practice) != before, 10)
    return seconds


def another_address(practice: Practice, old: str, new: str) -> None:
    """Have the carrier give the phone another address."""
    phone = practice.places.phone
    phone.run("ip", "address", "add", f"{new}/24", "dev", "cell0")
    phone.run("sysctl", "-qw", "net.ipv4.conf.cell0.promote_secondaries=1")
    phone.run("ip", "address", "delete", f"{old}/24", "dev", "cell0")
    phone.run("ip", "route", "replace", "default", "via", "100.64.7.1")
    practice.app.network_changed()


def test_the_phones_address_changes_while_it_downloads(practice: Practice, download: Download) -> None:
    there, back = ("100.64.7.2", "100.64.7.77"), ("100.64.7.77", "100.64.7.2")
    seconds = require_followed(practice, download, lambda: another_address(practice, *there))
    print(f"the download went on after {seconds:.1f} s")
    with without_roaming(practice), pytest.raises(AssertionError, match="did not happen within 3 s"):
        require_followed(practice, download, lambda: another_address(practice, *back), patience=3)


def test_the_carriers_router_forgets_the_phone_while_it_downloads(practice: Practice, download: Download) -> None:
    require_followed(practice, download, practice.places.rebind)
    with without_roaming(practice), pytest.raises(AssertionError, match="did not happen within 3 s"):
        require_followed(practice, download, practice.places.rebind, patience=3)


def require_untouched(practice: Practice, download: Download, kill: Callable[[], None], patience: float = 10) -> None:
    """Fail unless a download goes on without a pause of a second while ``kill`` ends netd."""
    kill()
    download.more(seconds=patience)
    pause = download.longest_pause()
    assert pause < 1, f"the download paused for {pause:.1f} s"
    wait_for(lambda: practice.box.devices()["Téléphone"]["state"] == "active", 10)


def test_netd_is_killed_while_the_phone_downloads(
    practice: Practice, download: Download, tunnels: tuple[str, str]
) -> None:
    def with_the_tunnel() -> None:
        with practice.box.stopped("netd"):
            practice.box.space.run("ip", "link", "delete", "negato0")
            time.sleep(1.2)
            practice.box.renew("netd")

    require_untouched(practice, download, lambda: practice.box.renew("netd"))
    # A tunnel that ends with netd.
    with pytest.raises(AssertionError, match=r"connection ended|download paused|within 2 s"):
        require_untouched(practice, download, with_the_tunnel, patience=2)
    practice.app.on(tunnels[0])
    wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), 20)


def require_walk(practice: Practice, outside: str, inside: str, session: httpx.Client, patience: float = 10) -> None:
    """Fail unless the phone's session goes on in the practice's Wi-Fi by its other tunnel, and outside again."""
    practice.places.on_wifi()
    try:
        practice.app.on(inside, "cabinet")
        wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), patience)
        assert session.get("/dicom-web/studies").status_code == 200, "the session did not survive the walk"
    finally:
        practice.places.on_4g()
        practice.app.on(outside)
        wait_for(lambda: reaches(practice.places.phone, practice.box.address(), 80), 20)
    assert session.get("/dicom-web/studies").status_code == 200, "the session did not survive the way back"


def test_the_phone_walks_into_the_practice_and_out_again(
    practice: Practice, tunnels: tuple[str, str], session: httpx.Client
) -> None:
    outside, inside = tunnels
    require_walk(practice, outside, inside, session)
    # One address for everywhere: this router has no loop-back.
    astray = inside.replace(f"Endpoint = {BOX4}:", f"Endpoint = {ROUTER4}:")
    with pytest.raises(AssertionError, match="did not happen within 3 s"):
        require_walk(practice, outside, astray, session, patience=3)


@contextmanager
def cut(practice: Practice, clock: int = 0) -> Iterator[None]:
    """Cut the box's power, and start it with a clock that is ``clock`` seconds ahead; nobody touches the phone."""
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
    box.start()
    yield
    assert practice.app.process() == before


def require_back(practice: Practice, patience: float) -> None:
    """Fail unless the phone is back within ``patience`` seconds, and finds the box locked."""
    began, box = time.monotonic(), practice.box
    wait_for(lambda: reaches(practice.places.phone, box.address(), 80, seconds=1), patience)
    print(f"the phone was back {time.monotonic() - began:.1f} s after the box was ready")
    with box.client_in(practice.places.phone, f"http://{box.address()}") as client:
        assert client.get("/api/status").json()["locked"] is True


def require_told_its_clock(practice: Practice) -> None:
    """Fail unless the box says by how much its clock is behind what it was before the power cut."""
    differences = practice.box.tunnel().differences
    assert any("8760.0 hours behind" in text for text in differences), f"not said: {differences}"


# A netd without memory: of where the phones were, and of the time.
FORGETFUL = "from appliance.netd import real; real.load_seen = lambda paths: real.Seen()"


def test_after_a_power_cut_the_box_calls_the_phone(practice: Practice, tunnels: tuple[str, str]) -> None:
    practice.places.wait_to_be_called(True)
    try:
        with cut(practice):
            require_back(practice, 20)
        broken("netd", FORGETFUL, practice.box.root)
        with cut(practice), pytest.raises(AssertionError, match="did not happen within 3 s"):
            require_back(practice, 3)
    finally:
        whole_again(practice.box.root)
        practice.places.wait_to_be_called(False)


def test_after_a_power_cut_with_a_clock_a_year_behind_the_phone_is_back_by_itself(
    practice: Practice, tunnels: tuple[str, str]
) -> None:
    """The box's own call comes from the past and is refused; the phone then calls by itself."""
    with cut(practice, -YEAR):
        require_back(practice, 40)
        # WireGuard itself believes in that clock: so it dates the handshake that let the phone back in.
        (handshake,) = practice.box.space.run("wg", "show", "negato0", "latest-handshakes").split()[1::2]
        assert abs(int(handshake) - (time.time() - YEAR)) < 60
        require_told_its_clock(practice)
        with practice.box.broken("netd", FORGETFUL), pytest.raises(AssertionError, match="not said"):
            require_told_its_clock(practice)


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
