"""Only a network that is whole and does not contradict itself is taken."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadInput
from appliance.network import line, subnets
from appliance.network.desired import DesiredNetwork, from_json, to_json
from tests.network.networks import EMPTY, NETWORK

Harm = Callable[[dict[str, Any]], object]

HARMS: dict[str, Harm] = {
    "a field more": lambda body: body.update(command="reboot"),
    "a field less": lambda body: body.pop("senders"),
    "a public network": lambda body: body.update(ipv4="8.8.8.1/24"),
    "a network of another size": lambda body: body.update(ipv4="10.77.31.1/16"),
    "no network": lambda body: body.update(ipv4="10.77.31.1"),
    "an IPv6 network of the internet": lambda body: body.update(ipv6="2001:4860::1/64"),
    "a port of the system": lambda body: body.update(listen_port=53),
    "a port as text": lambda body: body.update(listen_port="51820"),
    "a port that is true": lambda body: body.update(listen_port=True),
    "too many peers": lambda body: body.update(peers=body["peers"] * 100),
    "a peer twice": lambda body: body["peers"].append(dict(body["peers"][0])),
    "a public key twice": lambda body: body["peers"][1].update(public_key=body["peers"][0]["public_key"]),
    "an address twice": lambda body: body["peers"][1].update(ipv4=body["peers"][0]["ipv4"]),
    "the box's own address": lambda body: body["peers"][0].update(ipv4="10.77.31.1"),
    "the broadcast address": lambda body: body["peers"][0].update(ipv4="10.77.31.255"),
    "an address elsewhere": lambda body: body["peers"][0].update(ipv4="10.78.31.2"),
    "an IPv6 address elsewhere": lambda body: body["peers"][0].update(ipv6="fd00::2"),
    "an address with a zone": lambda body: body["peers"][0].update(ipv6="fd12:3456:789a::2%eth0"),
    "a key with a line feed": lambda body: body["peers"][0].update(public_key=body["peers"][0]["public_key"] + "\n"),
    "a short key": lambda body: body["peers"][0].update(public_key="AAAA"),
    "a key spelt in another way": lambda body: body["peers"][0].update(public_key="A" * 42 + "B="),
    "a reach that is none": lambda body: body["peers"][0].update(reach="everything"),
    "a sender that is a name": lambda body: body.update(senders=["scanner.local"]),
    "a sender that is everybody": lambda body: body.update(senders=["0.0.0.0"]),
    "a sender that is a network": lambda body: body.update(senders=["192.168.1.0/24"]),
    "a sender twice": lambda body: body.update(senders=["192.168.1.4", "192.168.1.4"]),
    "a sender with more behind it": lambda body: body.update(senders=["192.168.1.4 } accept"]),
    "peers that are a text": lambda body: body.update(peers="none"),
}


@pytest.mark.parametrize("network", [NETWORK, EMPTY], ids=["full", "empty"])
def test_a_network_is_read_as_it_was_written(network: DesiredNetwork) -> None:
    assert from_json(json.loads(json.dumps(to_json(network)))) == network


@pytest.mark.parametrize("name", HARMS)
def test_what_is_not_right_is_refused_and_named(name: str) -> None:
    body = copy.deepcopy(to_json(NETWORK))
    HARMS[name](body)
    with pytest.raises(BadInput) as refused:
        from_json(body)
    assert "reboot" not in str(refused.value) and "accept" not in str(refused.value), "what was given is never quoted"


NO_MESSAGES = [
    b"", b"\n", b"[]\n", b"null\n", b"{\n", b"{}", b"{}\n{}\n", b"[" * 100_000 + b"\n", b"x" * 300_000, b'"\xff"\n',
    b'{"a":1,"a":2}\n', b'{"a":NaN}\n', b'{"a":' * 50 + b"1" + b"}" * 50 + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("raw", NO_MESSAGES, ids=range(len(NO_MESSAGES)))
def test_bytes_that_are_no_message_are_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        line.decode(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["ipv4", "ipv6", "listen_port", "peers", "senders", "x"]), JSON, max_size=5))
def test_whatever_stands_in_a_field_is_a_network_or_refused(changed: dict[str, Any]) -> None:
    try:
        assert isinstance(from_json(to_json(NETWORK) | changed), DesiredNetwork)
    except BadInput:
        return


@given(st.binary(min_size=subnets.RANDOM_BYTES, max_size=subnets.RANDOM_BYTES))
def test_chosen_addresses_are_private_and_collide_with_nobody(random: bytes) -> None:
    taken = [IPv4Network("10.77.0.0/16"), IPv4Network("10.128.0.0/9")]
    try:
        ipv4, ipv6 = subnets.pick_subnets(random, taken)
    except BadInput:
        return
    assert not any(ipv4.overlaps(other) for other in (*taken, *subnets.COMMON))
    assert ipv4.subnet_of(ip_network("10.0.0.0/8")) and ipv4.prefixlen == 24  # type: ignore[arg-type]
    assert ipv6.subnet_of(ip_network("fd00::/8")) and ipv6.prefixlen == 64  # type: ignore[arg-type]
    network = DesiredNetwork(ipv4=IPv4Interface((ipv4[1], 24)), ipv6=IPv6Interface((ipv6[1], 64)))
    assert from_json(to_json(network)) == network
