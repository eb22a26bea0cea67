"""A practice whose router may be asked, a box that asks it, a phone on 4G."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.box import OWNER, wait_for
from tests.lab.machines import LabBox, WireGuardApp
from tests.lab.mapper import Mapper
from tests.lab.places import BOX4, WIREGUARD
from tests.netd.box import reaches


class Line:
    """The box, the practice's router, the phone's app, and a folder for texts."""

    def __init__(self, box: LabBox, mapper: Mapper, app: WireGuardApp, folder: Path) -> None:
        self.box, self.mapper, self.app, self.folder = box, mapper, app, folder

    def look(self) -> dict[str, Any]:
        """Have the router asked; return what is told of it."""
        return dict(json.loads(self.box.command("way-in", "look", "--json")))

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.box.command("way-in", "status", "--json")))

    def connects(self, name: str, seconds: float = 20) -> str:
        """Have a phone on 4G let in with what the box tells by itself; return its endpoint when it got an answer."""
        _, outside, inside = self.box.invite(OWNER, name, self.folder)
        assert f"Endpoint = {BOX4}:{WIREGUARD}" in inside
        self.app.on(outside)
        wait_for(lambda: reaches(self.mapper.places.phone, self.box.address(), 80), seconds)
        self.app.off()
        (endpoint,) = [line.removeprefix("Endpoint = ") for line in outside.splitlines() if "Endpoint" in line]
        return endpoint
