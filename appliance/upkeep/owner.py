"""The owner who acts on keys: logged in to the command itself, by a slot that opens every epoch.

The web process never does this, and the key agent gives no identity away: see docs/decisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from appliance.errors import Refused
from appliance.keyring.public import epoch_numbers
from appliance.keyring.slots import slot_header, unlock_slot
from appliance.paths import StatePaths
from appliance.people.models import Person
from appliance.people.store import People
from appliance.sealing.identities import Identity
from appliance.sealing.slots import Argon2Params
from appliance.sealing.words import passphrase_bytes
from appliance.upkeep.cli_log import record
from appliance.upkeep.key_files import open_all


@dataclass(frozen=True, slots=True)
class Owner:
    """Who acts, with the identity from the slot; ``params`` is what a guess of the passphrase costs."""

    person: Person
    identity: Identity
    params: Argon2Params


def open_owner(paths: StatePaths, people: People, name: str, passphrase: str, moment: datetime) -> Owner:
    """Log the owner in; every refusal is audited.

    Raises :class:`Refused` for a wrong name or passphrase, for somebody who is no owner, and for an owner whose slot
    does not open both identities of every epoch: system.db alone makes nobody an owner.
    """
    person = people.by_name(name)
    try:
        identity = unlock_slot(paths, person.id if person else "", passphrase_bytes(passphrase))
        if person is None or person.role != "owner":
            raise Refused("Only an owner of the box may do this.", "Ask the owner.")
        open_all(paths, epoch_numbers(paths), identity)
    except Refused:
        record(paths, moment, "cli:owner:refused", person=person.id if person else "")
        raise
    return Owner(person, identity, slot_header(paths, person.id).params)
