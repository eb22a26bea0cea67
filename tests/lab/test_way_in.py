"""The box finds its own way in through the practice's router, says what stands in it, and takes it back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.box import OWNER, wait_for
from tests.lab.machines import LabBox, WireGuardApp
from tests.lab.mapper import Mapper
from tests.lab.places import BOX4, BOX6, ROUTER4, WIREGUARD, places
from tests.netd.box import reaches


class Line:
    """A practice whose router may be asked, a box that asks it, a phone on 4G."""

    def __init__(self, box: LabBox, mapper: Mapper, app: WireGuardApp, folder: Path) -> None:
        self.box, self.mapper, self.app, self.folder = box, mapper, app, folder

    def look(self) -> dict[str, Any]:
        """Have the router asked; return what is told of it."""
        return dict(json.loads(self.box.command("way-in", "look", "--json")))

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.box.command("way-in", "status", "--json")))

    def connects(self, name: str) -> str:
        """Have a phone on 4G let in with what the box tells by itself; return its endpoint when it got an answer."""
        outside = self.box.invite(OWNER, name, self.folder)[1]
        self.app.on(outside)
        wait_for(lambda: reaches(self.mapper.places.phone, self.box.address(), 80), 20)
        self.app.off()
        (endpoint,) = [line.removeprefix("Endpoint = ") for line in outside.splitlines() if "Endpoint" in line]
        return endpoint


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    with places() as made:
        made.forward("drop")
        mapper = Mapper(made, folder)
        mapper.start()
        box = LabBox(folder, made.box, courier="real")
        box.init()
        box.start()
        box.command("device", "endpoint", "--cabinet", f"{BOX4}:{WIREGUARD}")
        try:
            yield Line(box, mapper, WireGuardApp(made.phone, folder), folder)
        finally:
            box.stop()
            mapper.stop()


def test_a_router_that_knows_no_protocol_is_told_with_the_next_step(line: Line) -> None:
    found = line.look()
    assert found["report"]["verdict"] == "silent" and found["outside"] == ""
    assert [one["outcome"] for one in found["report"]["tried"]] == ["silent"] * 3
    assert "never the DMZ" in line.box.command("way-in", "status")


@pytest.mark.parametrize("protocol", ["pcp", "nat-pmp", "upnp"])
def test_the_port_is_let_through_by_each_protocol_with_the_others_off(line: Line, protocol: str) -> None:
    line.mapper.start(protocol)
    found = line.look()
    assert found["report"]["verdict"] == "mapped"
    assert {one["protocol"]: one["outcome"] for one in found["report"]["tried"]}[protocol] == "mapped"
    assert found["outside"] == f"{ROUTER4}:{WIREGUARD}" and found["source"] == "router"
    assert line.connects(f"Par {protocol}") == f"{ROUTER4}:{WIREGUARD}"
    assert line.box.command("way-in", "address").strip() == ROUTER4
