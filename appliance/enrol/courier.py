"""The caller's side of the courier: hears how the internet reaches the box."""

from __future__ import annotations

from pathlib import Path

from appliance import sockets
from appliance.network import courier_wire
from appliance.network.courier_wire import Report, Verb
from appliance.network.line import LONGEST

# The courier answers from memory.
SECONDS = 5.0


class CourierClient:
    """Talks to the courier, one connection a question; :class:`EnvironmentProblem` when there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def status(self) -> Report:
        """Return the last report."""
        return self._ask("status")

    def look(self) -> Report:
        """Have the router asked again; the report returned is the one before."""
        return self._ask("look")

    def _ask(self, verb: Verb) -> Report:
        raw = sockets.ask(self._path, courier_wire.encode_request(verb), LONGEST, SECONDS, "The courier")
        return courier_wire.decode_report(raw)
