"""What may become of a device, decided without a box."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.clock import stamp
from appliance.enrol import claims, life
from appliance.enrol.allot import addresses, require_new_key
from appliance.enrol.handed import apple_profile, hand_out
from appliance.enrol.senders import equipment, require_ae_title, require_local, require_room
from appliance.enrol.wanted import new_tunnel, wanted
from appliance.enrol.whereabouts import address_of, whereabouts
from appliance.errors import BadInput, EnvironmentProblem, Refused
from appliance.network.netd_wire import UnknownSender
from appliance.people.models import Device, Sender, Tunnel
from appliance.people.roles import ROLES, may
from appliance.sealing.tunnel_keys import new_preshared_key, new_private_key, public_key_of

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
TUNNEL = Tunnel(id=1, ipv4="10.83.12.1/24", ipv6="fd12:3456:789a:1::1/64", outside="box.example.org:51820")
BOX4, BOX6 = IPv4Interface(TUNNEL.ipv4), IPv6Interface(TUNNEL.ipv6)


def device(number: int = 2, state: str = "active", **more: str | bool) -> Device:
    fields = {
        "id": f"{number:016x}", "person": "a" * 16, "name": f"Device {number}", "kind": "phone",
        "public_key": public_key_of(new_private_key()), "preshared_key": new_preshared_key(),
        "ipv4": f"10.83.12.{number}", "ipv6": f"fd12:3456:789a:1::{number:x}", "reach": "pages", "state": state,
        "created": stamp(NOW), "invitation_ends": stamp(NOW + life.INVITATION) if state == "invited" else "",
    }  # fmt: skip
    return Device(**(fields | more))


def at(**after: int) -> str:
    return stamp(NOW + timedelta(**after))


def test_nothing_leads_out_of_revoked() -> None:
    assert life.after("revoked", "revoke") == "revoked"
    for act in ("seen", "pause", "resume"):
        with pytest.raises(Refused):
            life.after("revoked", act)


def test_an_invited_device_cannot_be_paused_nor_an_active_one_resumed() -> None:
    for state, act in (("invited", "pause"), ("invited", "resume"), ("active", "resume"), ("paused", "pause")):
        with pytest.raises(Refused):
            life.after(state, act)  # type: ignore[arg-type]


def test_an_invitation_dies_after_ten_minutes() -> None:
    invited = device(state="invited")
    assert life.is_let_in(invited, at(minutes=9, seconds=59))
    assert not life.is_let_in(invited, at(minutes=10))
    assert life.is_over(invited, at(minutes=10))


def test_a_device_expires_and_one_without_an_end_never_does() -> None:
    lent = device(expires=life.expiry(3, NOW))
    assert life.is_let_in(lent, at(days=2, hours=23))
    assert not life.is_let_in(lent, at(days=3))
    assert life.is_let_in(device(expires=life.expiry(0, NOW)), at(days=36500))
    for days in (-1, 5000):
        with pytest.raises(BadInput):
            life.expiry(days, NOW)


def test_nobody_but_the_invited_and_the_active_is_in_the_wanted_network() -> None:
    devices = [device(n, state) for n, state in enumerate(get_args(life.State), 2)]
    network = wanted(TUNNEL, devices, [], 51820, at(minutes=1))
    assert [str(peer.ipv4) for peer in network.peers] == ["10.83.12.2", "10.83.12.3"]
    assert [str(peer.ipv4) for peer in wanted(TUNNEL, devices, [], 51820, at(minutes=10)).peers] == ["10.83.12.3"]


def test_only_confirmed_equipment_may_send() -> None:
    senders = [
        Sender(address="192.168.1.40", name="Pano", ae_title="", state="confirmed", decided=at()),
        Sender(address="192.168.1.41", name="", ae_title="", state="refused", decided=at()),
        # Written down before the tunnel took its subnet: netd would refuse it, and every change of devices with it.
        Sender(address="10.83.12.99", name="Old", ae_title="", state="confirmed", decided=at()),
    ]
    assert wanted(TUNNEL, [], senders, 51820, at()).senders == (ip_address("192.168.1.40"),)


def test_a_box_takes_the_first_address_of_subnets_that_are_drawn() -> None:
    tunnel = new_tunnel(bytes(range(64)))
    network = wanted(tunnel, [], [], 51820, at())
    assert network.ipv4.ip == network.ipv4.network[1]
    assert network.ipv6.ip == network.ipv6.network[1]


# --- addresses -----------------------------------------------------------------------------------------------------


def test_a_fresh_number_comes_before_one_that_was_left() -> None:
    devices = [device(2, "revoked"), device(3)]
    assert str(addresses(BOX4, BOX6, devices)[0]) == "10.83.12.4"


def test_a_left_number_is_given_again_when_no_other_is_there() -> None:
    devices = [device(n, "active" if n < 100 else "revoked") for n in range(2, 255)]
    ipv4, ipv6 = addresses(BOX4, BOX6, devices)
    assert (str(ipv4), str(ipv6)) == ("10.83.12.100", "fd12:3456:789a:1::64")


def test_a_full_tunnel_says_so() -> None:
    devices = [device(n) for n in range(2, 202)]
    with pytest.raises(BadInput, match="full"):
        addresses(BOX4, BOX6, devices)
    devices[7].state = "revoked"
    assert str(addresses(BOX4, BOX6, devices)[0]) == "10.83.12.202"


def test_a_public_key_has_one_owner_for_ever() -> None:
    box, known = public_key_of(new_private_key()), device(2, "revoked")
    with pytest.raises(BadInput, match="Device 2"):
        require_new_key(known.public_key, box, [known])
    with pytest.raises(BadInput, match="box's own"):
        require_new_key(box, box, [])
    for none in ("", "AAAA", "A" * 43 + "=", known.public_key[:-1]):
        with pytest.raises(BadInput):
            require_new_key(none, box, [])
    fresh = public_key_of(new_private_key())
    assert require_new_key(fresh, box, [known]) == fresh


# --- what is handed out --------------------------------------------------------------------------------------------


def test_both_tunnels_have_one_key_and_lead_to_the_box_alone() -> None:
    both = Tunnel(**(TUNNEL.model_dump() | {"inside": "192.168.1.10:51820"}))
    private = new_private_key()
    handed = hand_out(device(), both, public_key_of(new_private_key()), private)
    assert [one.name for one in handed] == ["Dehors", "Cabinet"]
    for one, endpoint in zip(handed, ("box.example.org:51820", "192.168.1.10:51820"), strict=True):
        assert f"PrivateKey = {private}\n" in one.text
        assert "AllowedIPs = 10.83.12.1/32, fd12:3456:789a:1::1/128\n" in one.text
        assert f"Endpoint = {endpoint}\n" in one.text
        assert "DNS" not in one.text
    profile = apple_profile(handed, device(), ["Cabinet Martin"])
    assert profile.count(b"Cabinet Martin") == 2


def test_a_box_that_knows_no_endpoint_hands_nothing_out() -> None:
    nowhere = Tunnel(**(TUNNEL.model_dump() | {"outside": ""}))
    with pytest.raises(EnvironmentProblem, match="where devices find"):
        hand_out(device(), nowhere, public_key_of(new_private_key()))


# --- claims --------------------------------------------------------------------------------------------------------


def claimed() -> tuple[Device, str]:
    secret, found = claims.new_secret(), device(claim_ends=at(minutes=60))
    claims.claim(found, secret, at())
    return found, secret


def test_one_browser_is_claimed_and_no_second() -> None:
    found, secret = claimed()
    assert claims.holds(found, secret)
    with pytest.raises(Refused):
        claims.claim(found, claims.new_secret(), at())
    assert claims.holds(found, secret)
    assert secret not in str(found.model_dump())


@pytest.mark.parametrize("state", ["invited", "paused", "revoked"])
def test_only_an_active_device_has_its_browser_claimed(state: str) -> None:
    with pytest.raises(Refused):
        claims.claim(device(state=state, claim_ends=at(minutes=60)), claims.new_secret(), at())


def test_a_claim_has_an_hour() -> None:
    late = device(claim_ends=at(minutes=60))
    assert life.may_claim(late, at(minutes=59))
    assert not life.may_claim(late, at(minutes=60))


def test_a_lost_answer_locks_no_browser_out_but_a_confirmed_one_ends_the_older() -> None:
    found, first = claimed()
    second, third = claims.new_secret(), claims.new_secret()
    claims.renew(found, first, second, at())
    assert claims.holds(found, first)  # the answer with the second one may have been lost
    assert claims.holds(found, second)
    claims.renew(found, second, third, at())
    assert not claims.holds(found, first)
    assert claims.holds(found, second)
    with pytest.raises(claims.NotClaimed):
        claims.renew(found, first, claims.new_secret(), at())


@given(st.text(max_size=80))
def test_no_text_is_a_secret(text: str) -> None:
    for one in (claimed()[0], device()):
        assert not claims.holds(one, text)


def test_reopening_puts_the_browser_out() -> None:
    found, secret = claimed()
    found.suspicious = True
    claims.reopen(found, at(minutes=60))
    assert not claims.holds(found, secret)
    assert not found.suspicious
    assert life.may_claim(found, at())


# --- from where ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("::ffff:127.0.0.1", "loopback"),
        ("10.83.12.2", "device"), ("::ffff:10.83.12.2", "device"), ("fd12:3456:789a:1::2", "device"),
        ("10.83.12.1", "loopback"), ("10.83.12.9", "elsewhere"), ("192.168.1.5", "elsewhere"),
        ("fe80::1%eth0", "elsewhere"), ("", "elsewhere"), ("unix:", "elsewhere"),
    ],
)  # fmt: skip
def test_an_address_names_a_device(text: str, place: str) -> None:
    here, address = device(), address_of(text)
    found = here if address is not None and str(address) in (here.ipv4, here.ipv6) else None
    assert whereabouts(address, TUNNEL, found, at()).place == place


def test_a_paused_or_revoked_device_is_nobody() -> None:
    for state in ("paused", "revoked"):
        assert whereabouts(ip_address("10.83.12.2"), TUNNEL, device(state=state), at()).place == "elsewhere"
    lapsed = device(state="invited")
    assert whereabouts(ip_address("10.83.12.2"), TUNNEL, lapsed, at(minutes=11)).place == "elsewhere"


def test_the_recovery_peer_is_a_place_of_its_own() -> None:
    assert whereabouts(ip_address("10.83.12.2"), TUNNEL, device(reach="recovery"), at()).place == "recovery"


# --- equipment and permissions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["8.8.8.8", "2001:db8::1", "fe80::1%eth0", "192.168.1", "", "127.0.0.1", "0.0.0.0"])
def test_only_addresses_of_a_practice_may_send(text: str) -> None:
    with pytest.raises(BadInput):
        require_local(text)


def test_an_address_is_kept_in_one_spelling() -> None:
    assert require_local("FD00:0:0:0::5") == "fd00::5"
    assert require_ae_title(" PANO1 ") == "PANO1"
    with pytest.raises(BadInput):
        require_ae_title("PANO\\1")


def test_there_is_an_end_to_senders() -> None:
    many = [Sender(address=f"192.168.1.{n}", name="", ae_title="", state="confirmed", decided="") for n in range(1, 65)]
    with pytest.raises(BadInput):
        require_room(many, "192.168.1.99")
    require_room(many, "192.168.1.7")


def test_who_knocks_unknown_comes_after_what_was_decided() -> None:
    decided = [Sender(address="192.168.1.41", name="", ae_title="", state="refused", decided=at())]
    knocks = [UnknownSender("192.168.1.41", 3, 100), UnknownSender("192.168.1.50", 1, 200)]
    found = equipment(decided, knocks)
    assert [(one.address, one.state, one.packets) for one in found] == [
        ("192.168.1.41", "refused", 3),
        ("192.168.1.50", "unknown", 1),
    ]


def test_who_may_is_this_table() -> None:
    allowed = {
        (role, act, own)
        for role, act, own in itertools.product([*ROLES, "guest"], ("devices", "equipment", "endpoints"), (True, False))
        if may(role, act, own)
    }
    assert allowed == {
        *itertools.product(("owner", "technician"), ("equipment", "endpoints"), (True, False)),
        *itertools.product(("owner", "doctor", "assistant"), ("devices",), (True,)),
        ("owner", "devices", False),
    }
