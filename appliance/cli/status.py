"""``appliance status``: whether the archive is locked and what is waiting."""

from __future__ import annotations

import json

from appliance.archive.files import FileBackend
from appliance.cli.options import Json, State, agent_of
from appliance.errors import EnvironmentProblem
from appliance.keyring.public import exchanged_keys
from appliance.paths import StatePaths
from appliance.settings import read_settings


def status(state: State = None, as_json: Json = False) -> None:
    """Tell whether the appliance runs, is locked, and how many images wait to be sorted."""
    settings = read_settings(state=state)
    agent = agent_of(settings)
    waiting = len(FileBackend(StatePaths(settings.state), "status").inbox())
    alarms = exchanged_keys(StatePaths(settings.state))
    try:
        found: dict[str, object] = {"running": True, "locked": agent.locked(), "waiting": waiting}
    except EnvironmentProblem:
        found = {"running": False, "locked": True, "waiting": waiting}
    found["alarms"] = [f"exchanged public key: {name}" for name in alarms]
    if as_json:
        print(json.dumps(found))
        return
    print(f"running: {'yes' if found['running'] else 'no'}")
    print(f"archive: {'locked' if found['locked'] else 'unlocked'}")
    print(f"waiting: {waiting}")
    for alarm in alarms:
        print(f"ALARM: the public key {alarm} was exchanged; nothing is taken in. Restore keys/ from a backup.")
