"""What stands outside netd's table is refused and logged, whoever asks; the network stays as it was."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance.network.desired import to_json
from appliance.network.netd_wire import Status
from tests.broken import broken
from tests.netd.box import Netd, Phone, with_peers
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

ADDRESSES = st.sampled_from([
    "0.0.0.0/0", "::/0", "8.8.8.8", "203.0.113.9", "2001:db8::1", "10.83.12.1", "10.83.12.2", "10.83.12.255",
    "10.84.0.2", "fd83:12::1", "fd84::2", "fe80::1%wan0", "192.168.77.9",
])  # fmt: skip
HOSTILE = st.one_of(
    st.none(), st.booleans(), st.floats(allow_nan=False), st.integers(), st.text(max_size=80), st.just([]), st.just({}),
    ADDRESSES,
    st.sampled_from([
        f"/etc/{CANARY}", f"$({CANARY})", f"x\nPostUp = {CANARY}", "eth0", "wg0", "negato0; reboot", 22, 80, 53, 51821,
        -1, 2**64, "51820", 9000, "everything", CANARY * 9000,
    ]),
)  # fmt: skip
# Every field of a request, down to those of a peer.
FIELDS: tuple[tuple[str | int, ...], ...] = (
    ("verb",), ("network",), *((("network", name)) for name in REQUEST["network"]),
    ("network", "peers", 0), *((("network", "peers", 0, name)) for name in REQUEST["network"]["peers"][0]),
    ("network", "senders", 0),
)  # fmt: skip
WITH_ADDRESSES: tuple[tuple[str | int, ...], ...] = (
    ("network", "ipv4"), ("network", "ipv6"), ("network", "senders", 0),
    ("network", "peers", 0, "ipv4"), ("network", "peers", 0, "ipv6"),
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
    st.builds(changed, st.sampled_from(WITH_ADDRESSES), ADDRESSES),
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


def require_refusals(netd: Netd) -> None:
    """Fail when a request outside the table is not refused with a line in the log."""

    @settings(
        max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        report_multiple_bugs=False, database=None,
    )  # fmt: skip
    @given(MESSAGES)
    def refused(message: dict[str, Any] | bytes) -> None:
        if is_inside(message):
            return
        raw = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        lines = netd.log.read_bytes().count(b'"refused"')
        answer = json.loads(netd.raw(raw))
        assert "error" in answer, f"let through: {message!r}"
        assert netd.log.read_bytes().count(b'"refused"') == lines + 1, f"not logged: {message!r}"

    refused()


def test_a_request_outside_the_table_is_refused_and_logged_and_changes_nothing(shared: Ground) -> None:
    shared.netd.apply(NETWORK)
    before = in_order(shared.netd.status())
    require_refusals(shared.netd)
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


def require_strangers_refused(netd: Netd) -> None:
    """Fail when another user of the machine gets an answer at a socket that lets him in."""
    for path in (netd.socket, netd.socket.parent):
        path.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", STRANGER, netd.socket.parent], capture_output=True, text=True)
    assert "may not talk" in done.stdout, f"answered: {done.stdout}"
    assert f'"user": {NOBODY}' in netd.log.read_text("utf-8").splitlines()[-1]


def test_another_user_of_the_machine_is_refused_and_logged_even_where_the_socket_lets_him_in(shared: Ground) -> None:
    require_strangers_refused(shared.netd)


# What is left out of netd. What then gets through is answered, or meets what was never written for it: both are seen.
SEEN = "let through|not logged"
BROKEN = {
    "unknown fields": ("from appliance.network import desired; desired._fields = lambda value, *_: value", SEEN),
    "addresses": ("from appliance.network import desired; desired._require_host = lambda *_: None", SEEN),
    "further words": ("from appliance.network import line; line.decode = lambda raw: {'verb': 'status'}", SEEN),
    "the log": ("from appliance import answering; answering.log = lambda *_, **__: None", "not logged"),
}


@pytest.mark.parametrize("part", BROKEN)
def test_a_netd_without_a_part_of_its_table_fails_the_check(ground: Ground, part: str) -> None:
    code, said = BROKEN[part]
    broken_netd(ground, code)
    with pytest.raises(AssertionError, match=said):
        require_refusals(ground.netd)


def test_a_netd_that_does_not_ask_who_calls_fails_the_check(ground: Ground) -> None:
    broken_netd(ground, "from appliance import sockets; sockets.peer_uid = lambda connection: 0")
    with pytest.raises(AssertionError, match="answered"):
        require_strangers_refused(ground.netd)


def broken_netd(ground: Ground, code: str) -> None:
    """Start netd anew, broken on purpose."""
    ground.netd.stop()
    ground.netd.settings = broken("netd", code, ground.folder)
    ground.netd.start()
    ground.netd.apply(NETWORK)
