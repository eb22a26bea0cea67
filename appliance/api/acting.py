"""Who acts on devices and equipment through a page, and may they."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.api.hand import AgentHand
from appliance.errors import Refused
from appliance.keyring.client import AgentClient
from appliance.people.models import Person
from appliance.people.roles import Act, may
from appliance.people.store import People
from appliance.retrieve.reading import Reader


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who is logged in, with a hand that acts in their name."""

    person: Person
    hand: AgentHand

    def require(self, act: Act, whose: str = "") -> None:
        """Raise :class:`Refused` unless this person may do that, with a device of ``whose`` (an id)."""
        if not may(self.person.role, act, own=whose == self.person.id):
            raise Refused("Your role may not do this.", "Ask the owner of the box.")


class Acting:
    """Makes an actor of a reader."""

    def __init__(self, people: People, agent: AgentClient, on_end: Callable[[str], None]) -> None:
        self._people = people
        self._agent = agent
        self._on_end = on_end

    def of(self, reader: Reader) -> Actor:
        """Return who acts; :class:`Refused` for somebody who is not known any more."""
        person = self._people.by_id(reader.person)
        if person is None or person.left_at:
            raise Refused("This person is not known any more.", "Ask the owner of the box.")
        return Actor(person, AgentHand(self._agent, self._on_end, reader.token))
