"""The way in through the practice's router is held open while the box runs, and taken back when it stops."""

from __future__ import annotations

import re

import pytest

from tests.box import OWNER, wait_for
from tests.lab.line import Line
from tests.lab.machines import WireGuardApp
from tests.lab.places import BOX6, WIREGUARD
from tests.netd.box import reaches


def require_let_through6(line: Line, name: str, patience: float = 20) -> None:
    """Fail unless the box tells its IPv6 address, and somebody in the internet comes in there."""
    found = line.look()
    assert found["report"]["outside6"] == f"[{BOX6}]:{WIREGUARD}"
    _, outside, _ = line.box.invite(OWNER, f"Six {name}", line.folder)
    attacker = line.mapper.places.attacker
    app = WireGuardApp(attacker, line.folder)
    app.on(re.sub(r"Endpoint = .*", f"Endpoint = {found['report']['outside6']}", outside), f"six-{name}")
    try:
        wait_for(lambda: reaches(attacker, line.box.address(), 80), patience)
    finally:
        app.off()


@pytest.mark.parametrize("protocol", ["pcp", "upnp"])
def test_ipv6_is_let_through_the_routers_firewall(line: Line, protocol: str) -> None:
    line.mapper.start(protocol)
    require_let_through6(line, protocol)


# A courier that says that the router let the port through, and did not ask it.
CREDULOUS = """
from appliance.courier import by_pcp
from appliance.network.way_in import Attempt
by_pcp.let_in = lambda lane, nonce, port, wished, seconds: Attempt("pcp", "mapped", port, lane.own, seconds)
"""


def test_a_courier_that_asks_nobody_fails_the_check_of_ipv6(line: Line) -> None:
    line.mapper.start("pcp")
    with line.box.broken("courier", CREDULOUS), pytest.raises(AssertionError, match="did not happen within 3 s"):
        require_let_through6(line, "credulous", patience=3)


def require_taken_back(line: Line, protocol: str) -> None:
    """Fail unless what the router let through by ``protocol`` is gone when the box has stopped.

    It is asked for once: Debian's miniupnpd 2.3.1 lets nobody delete an IPv6 pinhole that was renewed by PCP, not its
    owner either (NOT_AUTHORIZED); such a one lapses with its lease.
    """
    wait_for(lambda: not (line.status()["report"] or {"looking": True})["looking"], 20)
    line.mapper.start(protocol)
    line.look()
    assert "dnat" in line.mapper.let_through(), "nothing was let through"
    assert str(WIREGUARD) in line.mapper.pinholes(), "no pinhole was made"
    line.box.stop()
    try:
        assert "dnat" not in line.mapper.let_through(), "the mapping is still there"
        assert str(WIREGUARD) not in line.mapper.pinholes(), "the pinhole is still there"
    finally:
        line.box.start()


@pytest.mark.parametrize("protocol", ["pcp", "nat-pmp", "upnp"])
def test_the_mapping_is_taken_back_when_the_box_stops(line: Line, protocol: str) -> None:
    require_taken_back(line, protocol)


@pytest.mark.parametrize("part", ["_take_back", "_take_back6"])
def test_a_courier_that_takes_nothing_back_fails_the_check(line: Line, part: str) -> None:
    said = {"_take_back": "the mapping is still there", "_take_back6": "the pinhole is still there"}[part]
    code = f"from appliance.courier.keeper import Keeper; Keeper.{part} = lambda self: None"
    with line.box.broken("courier", code), pytest.raises(AssertionError, match=said):
        require_taken_back(line, "pcp")


def test_a_courier_that_was_killed_finds_its_mapping_again(line: Line) -> None:
    line.mapper.start("pcp")
    before = line.look()
    assert before["report"]["outside4"]
    line.box.renew("courier")
    wait_for(lambda: line.status()["report"] is not None, 10)
    found = line.look()
    assert (found["report"]["verdict"], found["outside"]) == (before["report"]["verdict"], before["outside"])
