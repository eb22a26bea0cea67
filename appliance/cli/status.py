"""``appliance status``: whether the archive is locked and what is waiting."""

from __future__ import annotations

import json
from typing import TypedDict

from appliance.archive.files import FileBackend
from appliance.cli.options import Json, State, agent_of
from appliance.errors import EnvironmentProblem, NegatoError
from appliance.keyring.public import exchanged_keys
from appliance.paths import RunPaths, StatePaths
from appliance.settings import Settings, read_settings


class Tunnel(TypedDict):
    """In words where tunnel and firewall are not as asked for; nothing, with a ``reason``, when netd is mute."""

    differences: list[str] | None
    reason: str


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
    tunnel = _tunnel(settings) if settings.tunnel != "none" else None
    if tunnel is not None:
        found["tunnel"] = tunnel
    if as_json:
        print(json.dumps(found))
        return
    print(f"running: {'yes' if found['running'] else 'no'}")
    print(f"archive: {'locked' if found['locked'] else 'unlocked'}")
    print(f"waiting: {waiting}")
    if tunnel is not None:
        _say(tunnel)
    for alarm in alarms:
        print(f"ALARM: the public key {alarm} was exchanged; nothing is taken in. Restore keys/ from a backup.")


def _say(tunnel: Tunnel) -> None:
    differences = tunnel["differences"]
    if differences is None:
        print(f"tunnel: not known: {tunnel['reason']}")
        return
    print(f"tunnel: {'not as it should be' if differences else 'as it should be'}")
    for difference in differences:
        print(f"ALARM: {difference}")


def _tunnel(settings: Settings) -> Tunnel:
    from appliance.enrol.netd import NetdClient

    try:
        found = NetdClient(RunPaths(settings.run_root).netd).status()
    except NegatoError as error:
        return {"differences": None, "reason": error.message}
    return {"differences": list(found.differences), "reason": ""}
