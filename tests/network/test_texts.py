"""What WireGuard, nftables and phones are told, letter for letter.

A text that changed on purpose is written anew by ``NEGATO_GOLDEN=write`` and looked at before it is committed.
"""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from appliance.errors import BadInput
from appliance.network.mobileconfig import ProfileTunnel, profile
from appliance.network.qr import qr_png, qr_svg, qr_text
from appliance.network.ruleset import ruleset
from appliance.network.wireguard_config import ClientTunnel, client_config, require_endpoint, server_config
from tests.network.networks import EMPTY, NETWORK, key, peer

GOLDEN = Path(__file__).with_name("golden")


def tunnel(endpoint: str) -> ClientTunnel:
    device = peer(2)
    return ClientTunnel(
        private_key=key("private 2"),
        addresses=(device.ipv4, device.ipv6),
        server_public_key=key("server"),
        preshared_key=device.preshared_key,
        endpoint=endpoint,
        allowed=(IPv4Address("10.77.31.1"), IPv6Address("fd12:3456:789a::1")),
    )


TUNNEL = tunnel("praxis.example:51820")
TEXTS = {
    "server.conf": server_config(NETWORK, key("server private"), {peer(3).public_key: "[2001:db8::7]:5000"}),
    "empty.conf": server_config(EMPTY, key("server private")),
    "client.conf": client_config(TUNNEL),
    "full.nft": ruleset(NETWORK.senders, NETWORK),
    "empty.nft": ruleset((), None, keep_seen=False),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_what_it_was_when_somebody_last_read_it(name: str) -> None:
    path = GOLDEN / name
    if os.environ.get("NEGATO_GOLDEN") == "write":
        path.write_text(TEXTS[name])
    assert path.read_text() == TEXTS[name]


@pytest.mark.parametrize("name", ["full.nft", "empty.nft"])
def test_nft_itself_takes_the_ruleset(name: str) -> None:
    """In a network namespace of its own, where it is loaded twice: a second time must be as good as the first."""
    nft, unshare = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin"), shutil.which("unshare")
    assert nft is not None and unshare is not None, "apt-get install nftables"
    if os.geteuid():
        pytest.skip("a network namespace needs root")
    script = f"{nft} -f - && {nft} -f {GOLDEN / name} && {nft} list ruleset"
    done = subprocess.run([unshare, "-n", "sh", "-c", script], input=TEXTS[name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("policy drop") == 2


@pytest.mark.parametrize("endpoint", ["praxis.example:51820", "192.0.2.7:51820", "[2001:db8::7]:51820"])
def test_a_camera_reads_the_very_text_from_the_picture(tmp_path: Path, endpoint: str) -> None:
    zbarimg = shutil.which("zbarimg")
    assert zbarimg is not None, "apt-get install zbar-tools"
    text = client_config(tunnel(endpoint))
    (tmp_path / "code.png").write_bytes(qr_png(text))
    done = subprocess.run(
        [zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(tmp_path / "code.png")], capture_output=True
    )
    assert done.stdout.decode().rstrip("\n") == text.rstrip("\n")
    assert b"<svg" in qr_svg(text) and "█" in qr_text(text)


def test_no_tunnel_of_ours_takes_a_devices_other_traffic() -> None:
    text = TEXTS["client.conf"]
    assert "DNS" not in text and "0.0.0.0/0" not in text and "::/0" not in text and "PersistentKeepalive" not in text
    assert f"AllowedIPs = {NETWORK.ipv4.ip}/32, {NETWORK.ipv6.ip}/128" in text


def test_an_apple_profile_carries_the_tunnel_and_stays_off_in_the_practices_wifi() -> None:
    at_home = ("Cabinet", "Cabinet 5G")
    made = profile("Téléphone", key("public 2"), [ProfileTunnel("Dehors", TUNNEL, "outside", at_home)])
    (vpn,) = plistlib.loads(made)["PayloadContent"]
    assert vpn["VendorConfig"]["WgQuickConfig"] == TEXTS["client.conf"]
    first, last = vpn["VPN"]["OnDemandRules"]
    assert first == {"Action": "Disconnect", "InterfaceTypeMatch": "WiFi", "SSIDMatch": ["Cabinet", "Cabinet 5G"]}
    assert last == {"Action": "Connect"}


NO_ENDPOINTS = [
    "", "praxis.example", "a b:1", "x\nPostUp = reboot:1", "praxis.example:51820\n", "-x:1", "::1:1", "a.b:0",
    "a.b:65536", "a" * 300 + ":1", "[fe80::1%eth0]:1", "1.2.3:1", "٣.example:1", "a.b:٣",
    # Nobody's, one's own, everybody's, one cable's, and other ways to write them.
    "0.0.0.0:1", "0.1.2.3:1", "127.0.0.1:1", "127.9.9.9:1", "169.254.1.1:1", "224.0.0.1:1", "255.255.255.255:1",
    "240.0.0.1:1", "[::]:1", "[::1]:1", "[ff02::1]:1", "[fe80::1]:1", "[::ffff:203.0.113.7]:1", "[::127.0.0.1]:1",
    "0x7f.0.0.1:1", "127.0.0.0x1:1", "0x7f000001:1", "2130706433:1", "127.1:1", "praxis.1:1", "praxis..:1", ".:1",
    "localhost:1", "a.localhost.:1", "[fec0::1]:1",
]  # fmt: skip


@pytest.mark.parametrize("endpoint", NO_ENDPOINTS)
def test_an_endpoint_that_is_none_comes_into_no_text(endpoint: str) -> None:
    with pytest.raises(BadInput):
        tunnel(endpoint)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Cabinet.Example.ORG:51820", "cabinet.example.org:51820"),
        ("cabinet.example.org.:51820", "cabinet.example.org:51820"),
        ("203.0.113.7:51820", "203.0.113.7:51820"),
        ("192.168.1.10:51820", "192.168.1.10:51820"),
        ("[2001:db8::7]:51820", "[2001:db8::7]:51820"),
        ("[fd00::7]:51820", "[fd00::7]:51820"),
        ("[2001:DB8:0:0::7]:051820", "[2001:db8::7]:51820"),
    ],
)
def test_a_name_is_kept_in_the_one_way_it_is_written(written: str, kept: str) -> None:
    assert require_endpoint(written, "outside") == kept
