"""What WireGuard, nftables and phones are told, letter for letter.

A text that changed on purpose is written anew by ``NEGATO_GOLDEN=write`` and looked at before it is committed.
"""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from appliance.errors import BadInput
from appliance.network import mobileconfig, qr, ruleset, wireguard_text
from appliance.network.wireguard_text import ClientTunnel
from tests.network.networks import EMPTY, NETWORK, key, peer

GOLDEN = Path(__file__).with_name("golden")
TUNNEL = ClientTunnel.of(peer(2), key("private 2"), NETWORK, key("server"), "praxis.example", 51820)
TEXTS = {
    "server.conf": wireguard_text.server(NETWORK, key("server private"), {peer(3).public_key: "[2001:db8::7]:5000"}),
    "empty.conf": wireguard_text.server(EMPTY, key("server private")),
    "client.conf": wireguard_text.client(TUNNEL),
    "full.nft": ruleset.render(NETWORK),
    "empty.nft": ruleset.render(EMPTY),
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


@pytest.mark.parametrize("host", ["praxis.example", "192.0.2.7", "2001:db8::7"])
def test_a_camera_reads_the_very_text_from_the_picture(tmp_path: Path, host: str) -> None:
    zbarimg = shutil.which("zbarimg")
    assert zbarimg is not None, "apt-get install zbar-tools"
    text = wireguard_text.client(ClientTunnel.of(peer(2), key("private 2"), NETWORK, key("server"), host, 51820))
    (tmp_path / "code.png").write_bytes(qr.png(text))
    done = subprocess.run(
        [zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(tmp_path / "code.png")], capture_output=True
    )
    assert done.stdout.decode().rstrip("\n") == text.rstrip("\n")
    assert b"<svg" in qr.svg(text) and "█" in qr.terminal(text)


def test_no_tunnel_of_ours_takes_a_devices_other_traffic() -> None:
    text = TEXTS["client.conf"]
    assert "DNS" not in text and "0.0.0.0/0" not in text and "::/0" not in text and "PersistentKeepalive" not in text
    assert f"AllowedIPs = {NETWORK.ipv4.ip}/32, {NETWORK.ipv6.ip}/128" in text


def test_an_apple_profile_carries_the_tunnel_and_stays_off_in_the_practices_wifi() -> None:
    profile = plistlib.loads(
        mobileconfig.render(TUNNEL, "Cabinet Dr Essai", UUID(int=1), UUID(int=2), wifi=["Cabinet", "Cabinet 5G"])
    )
    (vpn,) = profile["PayloadContent"]
    assert vpn["VendorConfig"]["WgQuickConfig"] == TEXTS["client.conf"]
    first, last = vpn["VPN"]["OnDemandRules"]
    assert first == {"Action": "Disconnect", "InterfaceTypeMatch": "WiFi", "SSIDMatch": ["Cabinet", "Cabinet 5G"]}
    assert last == {"Action": "Connect"}


@pytest.mark.parametrize("host", ["", "a b", "x\nPostUp = reboot", "praxis.example\n", "-x", "[::1]", "a" * 300])
def test_a_host_that_is_none_comes_into_no_text(host: str) -> None:
    with pytest.raises(BadInput):
        ClientTunnel.of(peer(2), key("private 2"), NETWORK, key("server"), host, 51820)
