"""What stands outside netd's table is refused and logged, whoever asks; the network stays as it was."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.network.desired import to_json
from appliance.network.netd_wire import Status
from tests.netd.box import Phone, with_peers
from tests.netd.conftest import Ground

PHONES = (Phone.make(2), Phone.make(3, "recovery"))
NETWORK = with_peers(*PHONES, senders=("192.168.77.9",))
REQUEST: dict[str, Any] = {"verb": "apply", "network": to_json(NETWORK)}
CANARY = "canary-7f3a"
NOBODY = 65534
STRANGER = f"""
import os, socket, sys
os.chdir(sys.argv[1])
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect("netd.sock")
    print(connection.recv(4096).decode())
"""

HOSTILE = st.one_of(
    st.none(), st.booleans(), st.floats(allow_nan=False), st.integers(), st.text(max_size=80), st.just([]), st.just({}),
    st.sampled_from([
        f"/etc/{CANARY}", f"$({CANARY})", f"x\nPostUp = {CANARY}", "eth0", "wg0", "negato0; reboot", "0.0.0.0/0",
        "::/0", "8.8.8.8", "203.0.113.9", "2001:db8::1", "10.83.12.1", "10.83.12.2", "10.83.12.255", "10.84.0.2",
        "fd83:12::1",
        "fe80::1%wan0", "192.168.77.9", 22, 80, 53, 51821, -1, 2**64, "51820", 9000, "everything", CANARY * 9000,
    ]),
)  # fmt: skip
# Every field of a request, down to those of a peer.
FIELDS: tuple[tuple[str | int, ...], ...] = (
    ("verb",), ("network",), *((("network", name)) for name in REQUEST["network"]),
    ("network", "peers", 0), *((("network", "peers", 0, name)) for name in REQUEST["network"]["peers"][0]),
    ("network", "senders", 0),
)  # fmt: skip
EXTRA = st.sampled_from(["command", "path", "config", "post_up", "ports", "interface2", CANARY])


def changed(where: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    request = copy.deepcopy(REQUEST)
    at: Any = request
    for name in where[:-1]:
        at = at[name]
    at[where[-1]] = value
    return request


def with_more(name: str, inside: bool, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(REQUEST)
    (request["network"] if inside else request)[name] = value
    return request


MESSAGES = st.one_of(
    st.binary(max_size=600),
    st.builds(changed, st.sampled_from(FIELDS), HOSTILE),
    st.builds(with_more, EXTRA, st.booleans(), HOSTILE),
    st.builds(lambda verb: {"verb": verb}, st.text(max_size=20) | st.sampled_from(["open", "exec", "port", "apply"])),
    st.builds(lambda depth: b"[" * depth + b"\n", st.integers(1, 100_000)),
)
# What a change may be and still lie inside the table: the same words, another peer's or sender's address, no peers.
INSIDE = ("disable_all", "server_public_key", "status")


def is_inside(message: dict[str, Any] | bytes) -> bool:
    """Return whether a message lies inside the table after all, by rules written here and not the product's."""
    if isinstance(message, bytes):
        return False
    if message.get("verb") in INSIDE:
        return set(message) == {"verb"}
    network = message.get("network")
    if set(message) != {"verb", "network"} or message["verb"] != "apply" or not isinstance(network, dict):
        return False
    same = {**network, "peers": REQUEST["network"]["peers"], "senders": REQUEST["network"]["senders"]}
    if same != REQUEST["network"] | {"mtu": network.get("mtu")} or type(network["listen_port"]) is not int:
        return False
    if type(network["mtu"]) is not int or not 1280 <= network["mtu"] <= 1420:
        return False
    peers, senders = network["peers"], network["senders"]
    if not isinstance(senders, list):
        return False
    return peers in ([], REQUEST["network"]["peers"]) and senders in ([], *([text] for text in map(private, senders)))


def in_order(status: Status) -> Status:
    """Return a status with its peers in one order: WireGuard lists them in any."""
    return replace(status, peers=tuple(sorted(status.peers, key=lambda peer: peer.public_key)))


def private(text: Any) -> str:
    """Return ``text`` if it is an address of a practice's network, in its usual spelling."""
    ours = [ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")]
    ours += [ip_network(one) for one in ("fc00::/7", "fe80::/10")]
    tunnel = [ip_network(one) for one in ("10.83.12.0/24", "fd83:12::/64")]
    try:
        address = ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return ""
    if address is None or str(address) != text or "%" in text or any(address in one for one in tunnel):
        return ""
    return text if any(address in one for one in ours) else ""


def test_a_request_outside_the_table_is_refused_and_logged_and_changes_nothing(shared: Ground) -> None:
    shared.netd.apply(NETWORK)
    before = in_order(shared.netd.status())

    @settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(MESSAGES)
    def refused(message: dict[str, Any] | bytes) -> None:
        if is_inside(message):
            return
        raw = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        lines = shared.netd.log.read_bytes().count(b'"refused"')
        answer = json.loads(shared.netd.raw(raw))
        assert "error" in answer, (message, answer)
        assert shared.netd.log.read_bytes().count(b'"refused"') == lines + 1

    refused()
    assert in_order(shared.netd.status()) == before
    log = shared.netd.log.read_text("utf-8")
    assert CANARY not in log and PHONES[0].peer.preshared_key not in log
    assert "unexpected" not in log


def test_a_request_inside_the_table_is_answered(shared: Ground) -> None:
    """The same check with what is allowed: else a netd that refuses everything would pass."""
    for verb in INSIDE:
        assert "ok" in json.loads(shared.netd.raw(json.dumps({"verb": verb}).encode() + b"\n"))
    assert "ok" in json.loads(shared.netd.raw(json.dumps(REQUEST).encode() + b"\n"))
    assert {peer.public_key for peer in shared.netd.status().peers} == {phone.peer.public_key for phone in PHONES}


def test_another_user_of_the_machine_is_refused_and_logged_even_where_the_socket_lets_him_in(shared: Ground) -> None:
    socket = shared.netd.socket
    for path in (socket, socket.parent):
        path.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", STRANGER, socket.parent], capture_output=True, text=True, check=True)
    assert "may not talk" in done.stdout
    assert f'"user": {NOBODY}' in shared.netd.log.read_text("utf-8").splitlines()[-1]
