"""Whatever network is wanted and whatever things are called, the texts say it and nothing else."""

from __future__ import annotations

import base64
import configparser
import os
import plistlib
import re
import shutil
import subprocess
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import BadInput
from appliance.network.desired import LOCAL4, LOCAL6, REACHES, DesiredNetwork, Peer
from appliance.network.mobileconfig import ProfileTunnel, profile
from appliance.network.ruleset import ruleset
from appliance.network.wireguard_config import ClientTunnel, client_config, server_config

KEYS = st.binary(min_size=32, max_size=32).filter(any).map(lambda raw: base64.b64encode(raw).decode())
TEXTS = st.text(max_size=40) | st.text(st.sampled_from("&<>\"'é😀\n]a; "), max_size=12)
SSIDS = st.text(st.sampled_from("&<>\"'é]a; "), min_size=1, max_size=12) | TEXTS
ENDPOINTS = st.one_of(
    st.ip_addresses(v=4, network="203.0.113.0/24").map(lambda a: f"{a}:51820"),
    st.ip_addresses(v=6, network="2001:db8::/32").map(lambda a: f"[{a}]:51820"),
    st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,5})?\.example:[1-9][0-9]{0,3}", fullmatch=True),
)


@st.composite
def networks(draw: st.DrawFn) -> DesiredNetwork:
    """Draw a network that netd takes."""
    ipv4 = IPv4Address(b"\x0a" + draw(st.binary(min_size=2, max_size=2)) + b"\x00")
    ipv6 = IPv6Address(b"\xfd" + draw(st.binary(min_size=7, max_size=7)) + bytes(8))
    numbers = draw(st.lists(st.integers(2, 254), unique=True, max_size=6))
    keys = draw(st.lists(KEYS, unique=True, min_size=len(numbers), max_size=len(numbers)))
    peers = tuple(
        Peer(public, draw(KEYS), ipv4 + number, ipv6 + number, draw(st.sampled_from(REACHES)))
        for number, public in zip(numbers, keys, strict=True)
    )
    inside = (IPv4Interface(f"{ipv4 + 1}/24"), IPv6Interface(f"{ipv6 + 1}/64"))
    local = [*(st.ip_addresses(network=one) for one in LOCAL4), *(st.ip_addresses(network=one) for one in LOCAL6)]
    outside = st.one_of(local).filter(lambda address: not any(address in one.network for one in inside))
    senders = tuple(draw(st.lists(outside, unique=True, max_size=6)))
    try:
        return DesiredNetwork(
            listen_port=draw(st.integers(1024, 65535)), ipv4=inside[0], ipv6=inside[1], peers=peers, senders=senders
        )
    except BadInput:
        return DesiredNetwork(ipv4=IPv4Interface("10.77.31.1/24"), ipv6=IPv6Interface("fd12:3456:789a::1/64"))


@st.composite
def tunnels(draw: st.DrawFn) -> ClientTunnel:
    """Draw what a phone is given."""
    return ClientTunnel(
        private_key=draw(KEYS),
        addresses=(draw(st.ip_addresses(v=4)), draw(st.ip_addresses(v=6))),  # type: ignore[arg-type]  # of one version each
        server_public_key=draw(KEYS),
        preshared_key=draw(KEYS),
        endpoint=draw(ENDPOINTS),
        allowed=(draw(st.ip_addresses(v=4)), draw(st.ip_addresses(v=6))),  # type: ignore[arg-type]  # the same
    )


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """Read a WireGuard text as its tools do: sections in their order."""
    found = []
    for part in re.split(r"(?m)^(?=\[)", text):
        if part.strip():
            parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=True)
            parser.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's documented way
            parser.read_string(part)
            (name,) = parser.sections()
            found.append((name, dict(parser.items(name))))
    return found


@given(networks(), KEYS, st.lists(ENDPOINTS, max_size=6))
def test_what_syncconf_reads_are_the_peers_and_no_line_more(
    network: DesiredNetwork, private: str, seen: list[str]
) -> None:
    known = {peer.public_key: endpoint for peer, endpoint in zip(network.peers, seen, strict=False)}
    (first, interface), *rest = sections(server_config(network, private, known))
    assert (first, interface) == ("Interface", {"PrivateKey": private, "ListenPort": str(network.listen_port)})
    assert [name for name, _ in rest] == ["Peer"] * len(network.peers)
    for (_, said), peer in zip(rest, network.peers, strict=True):
        wanted = {
            "PublicKey": peer.public_key,
            "PresharedKey": peer.preshared_key,
            "AllowedIPs": f"{peer.ipv4}/32, {peer.ipv6}/128",
        }
        if peer.public_key in known:
            wanted["Endpoint"] = known[peer.public_key]
        assert said == wanted


@given(tunnels())
def test_what_the_app_reads_leads_to_the_box_alone(tunnel: ClientTunnel) -> None:
    (_, interface), (_, peer) = sections(client_config(tunnel))
    assert set(interface) == {"PrivateKey", "Address", "MTU"} and interface["PrivateKey"] == tunnel.private_key
    assert peer == {
        "PublicKey": tunnel.server_public_key,
        "PresharedKey": tunnel.preshared_key,
        "AllowedIPs": f"{tunnel.allowed[0]}/32, {tunnel.allowed[1]}/128",
        "Endpoint": tunnel.endpoint,
    }


@given(TEXTS, TEXTS, st.lists(SSIDS, max_size=2), tunnels())
def test_a_profile_holds_names_as_they_are_or_is_not_made(
    name: str, called: str, ssids: list[str], tunnel: ClientTunnel
) -> None:
    try:
        entry = ProfileTunnel(called, tunnel, "outside", tuple(ssids))
        made = profile(name, "device", [entry])
    except (BadInput, ValueError):  # plistlib's, for letters that no XML can hold: names of people never have them.
        return
    read = plistlib.loads(made)
    (vpn,) = read["PayloadContent"]
    xml = str.maketrans({"\r": "\n"})  # what an XML reader makes of it (XML 1.0, 2.11)
    assert read["PayloadDisplayName"].translate(xml) == name.replace("\r\n", "\n").translate(xml)
    assert vpn["VendorConfig"]["WgQuickConfig"] == client_config(tunnel)
    told = {ssid for rule in vpn["VPN"].get("OnDemandRules", []) for ssid in rule.get("SSIDMatch", [])}
    assert told == set(ssids)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.booleans(), st.booleans())
def test_nft_itself_takes_any_ruleset(network: DesiredNetwork, up: bool, keep_seen: bool) -> None:
    if os.geteuid():
        pytest.skip("a network namespace needs root")
    nft, unshare = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin"), shutil.which("unshare")
    assert nft is not None and unshare is not None, "apt-get install nftables"
    text = ruleset(network.senders, network if up else None, keep_seen=keep_seen)
    done = subprocess.run([unshare, "-n", nft, "-c", "-f", "-"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
