"""``appliance run``: one process of the appliance, as the units and the supervisor start it."""

from __future__ import annotations

from collections.abc import Callable

from appliance import app
from appliance.errors import BadInput
from appliance.settings import Settings, read_settings

PROCESSES: dict[str, Callable[[Settings], None]] = {
    "receiver": app.run_receiver,
    "keyagent": app.run_keyagent,
    "web": app.run_web,
    "decoder": app.run_decoder,
    "netd": app.run_netd,
    "courier": app.run_courier,
}


def run(process: str) -> None:
    """Run one process (receiver, keyagent, ...), as the units do; a person starts: appliance serve."""
    run_process([process])


def run_process(arguments: list[str]) -> None:
    """Run the named process with the settings of the environment until it ends."""
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        raise BadInput("Which process?", f"appliance run {'|'.join(PROCESSES)}")
    PROCESSES[arguments[0]](read_settings())
