"""The way in through the practice's router is held open while the box runs, and taken back when it stops."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.box import OWNER, wait_for
from tests.lab.line import Line
from tests.lab.machines import WireGuardApp
from tests.lab.places import BOX6, WIREGUARD
from tests.netd.box import reaches


@pytest.mark.parametrize("protocol", ["pcp", "upnp"])
def test_ipv6_is_let_through_the_routers_firewall(line: Line, protocol: str) -> None:
    line.mapper.start(protocol)
    found = line.look()
    assert found["report"]["outside6"] == f"[{BOX6}]:{WIREGUARD}"
    _, outside, _ = line.box.invite(OWNER, f"Six {protocol}", line.folder)
    attacker = line.mapper.places.attacker
    app = WireGuardApp(attacker, line.folder)
    app.on(re.sub(r"Endpoint = .*", f"Endpoint = {found['report']['outside6']}", outside), f"six{protocol[0]}")
    wait_for(lambda: reaches(attacker, line.box.address(), 80), 20)
    app.off()


@pytest.mark.parametrize("protocol", ["pcp", "nat-pmp", "upnp"])
def test_the_mapping_is_taken_back_when_the_box_stops(line: Line, protocol: str) -> None:
    line.mapper.start(protocol)
    line.look()
    assert "dnat" in line.mapper.let_through()
    line.box.stop()
    assert "dnat" not in line.mapper.let_through()
    assert str(WIREGUARD) not in line.mapper.pinholes()
    line.box.start()


def test_a_courier_that_was_killed_finds_its_mapping_again(line: Line) -> None:
    line.mapper.start("pcp")
    before = line.look()
    assert before["report"]["outside4"]
    killed = line.box.children()["courier"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: line.box.children().get("courier", killed) != killed, 10)
    wait_for(lambda: line.status()["report"] is not None, 10)
    found = line.look()
    assert (found["report"]["verdict"], found["outside"]) == (before["report"]["verdict"], before["outside"])
