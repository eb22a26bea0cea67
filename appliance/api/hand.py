"""The hand of whoever acts through a page: the record and the sessions are the key agent's."""

from __future__ import annotations

from collections.abc import Callable

from appliance.keyring.client import AgentClient
from appliance.keyring.device_verbs import DEVICE_EVENTS


class AgentHand:
    """A :class:`~appliance.enrol.enrolment.Hand`. Without a token it can tell what happened of itself, and no more."""

    def __init__(self, agent: AgentClient, on_end: Callable[[str], None], token: str = "") -> None:
        """``on_end`` is told the device whose sessions ended."""
        self._agent = agent
        self._on_end = on_end
        self._token = token

    def note(self, act: str, device: str, person: str, reason: str = "") -> None:
        """Have an act written down in the name of whose token it is; what happens of itself in nobody's."""
        self._agent.device(act, device, person, "" if act in DEVICE_EVENTS else self._token, reason)

    def end_device(self, device: str, person: str) -> None:
        """End every session on a device; with ``person``, take the half of that person's key from it."""
        self._agent.end_device(device, person)
        self._on_end(device)
