"""What the commands about devices and equipment begin with: system.db, netd, and a hand that writes the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from appliance import clock
from appliance.errors import BadInput, EnvironmentProblem, NotFound
from appliance.hardening import no_dumps
from appliance.keyring.client import AgentClient
from appliance.paths import RunPaths, StatePaths
from appliance.settings import Settings, read_settings
from appliance.upkeep.layout import check_layout

if TYPE_CHECKING:
    from appliance.enrol.enrolment import Enrolment
    from appliance.enrol.way_in import WayIns
    from appliance.people.devices import Devices
    from appliance.people.models import Device
    from appliance.people.store import People


class CliHand:
    """Acts from the command line: whoever may read the state and talk to netd may do this, and it is recorded."""

    def __init__(self, paths: StatePaths, settings: Settings) -> None:
        self._paths = paths
        self._agent = AgentClient(RunPaths(settings.run_root).keyagent)

    def note(self, act: str, device: str, person: str, reason: str = "") -> None:
        """Write an act down."""
        from appliance.upkeep.cli_log import record

        told = {"device": device, "person": person, "reason": reason}
        record(self._paths, clock.now(), f"cli:device:{act}", **{name: said for name, said in told.items() if said})

    def end_device(self, device: str, person: str) -> None:
        """End the sessions on a device; a box that does not run has none, but perhaps a half of somebody's key."""
        from appliance.keyring.disk import key_lock
        from appliance.keyring.possession import revoke_wrap
        from appliance.keyring.slots import has_slot

        try:
            self._agent.end_device(device, person)
        except EnvironmentProblem:
            if person and has_slot(self._paths, person) and self._paths.possession(person).exists():
                with key_lock(self._paths):
                    revoke_wrap(self._paths, person, device)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with."""

    enrolment: Enrolment
    devices: Devices
    people: People
    hand: CliHand
    way_in: WayIns

    def device(self, named: str) -> Device:
        """Return the device with this id or name; :class:`NotFound`, :class:`BadInput` when several have the name."""
        here = [device for device in self.devices.all() if device.state != "revoked"]
        found = [device for device in here if device.id == named] or [
            device for device in here if device.name.casefold() == named.casefold()
        ]
        if not found:
            raise NotFound(f"There is no device {named}.", "See: appliance device list")
        if len(found) > 1:
            raise BadInput(f"Several devices are called {named}.", "Give the id that appliance device list shows.")
        return found[0]

    def person(self, name: str) -> str:
        """Return the id of whoever logs in under ``name``."""
        found = self.people.by_name(name)
        if found is None:
            raise NotFound(f"Nobody is called {name}.", "See: appliance user list")
        return found.id


@contextmanager
def enrolment_desk(state: Path | None) -> Iterator[Desk]:
    """Yield what a command works with."""
    from appliance.enrol.endpoints import Endpoints
    from appliance.enrol.enrolment import Enrolment  # SQLAlchemy is loaded when it is needed
    from appliance.enrol.netd import NetdClient
    from appliance.people.devices import Devices
    from appliance.people.file import SystemFile
    from appliance.people.store import People

    settings = read_settings(state=state)
    paths = StatePaths(settings.state)
    check_layout(paths)
    no_dumps()
    file = SystemFile(paths.system_db)
    devices, port = Devices(file), settings.wireguard_port
    try:
        netd = NetdClient(RunPaths(settings.run_root).netd)
        way_in = way_ins(settings)
        enrolment = Enrolment(devices, netd, Endpoints(port, way_in.endpoint, way_in.inside), port, clock.now)
        yield Desk(enrolment, devices, People(file), CliHand(paths, settings), way_in)
    finally:
        file.close()


def way_ins(settings: Settings) -> WayIns:
    """Return what knows the way in from outside."""
    from appliance.enrol.courier import CourierClient
    from appliance.enrol.way_in import WayIns

    courier = CourierClient(RunPaths(settings.run_root).courier) if settings.courier != "none" else None
    return WayIns(courier, settings.public_name, settings.wireguard_port)
