"""The slots on disk: one file for each person who may read."""

from __future__ import annotations

import re

from appliance.errors import Damaged, Refused
from appliance.keyring.disk import write_key_file
from appliance.paths import StatePaths
from appliance.sealing.identities import Identity
from appliance.sealing.slots import Argon2Params, make_slot, open_slot

PERSON = re.compile(r"[0-9a-f]{16}")


def add_slot(paths: StatePaths, person: str, passphrase: bytes, identity: Identity, params: Argon2Params) -> None:
    """Seal a person's identity under a passphrase."""
    write_key_file(paths.slot(person), make_slot(person, passphrase, identity.reveal().encode("ascii"), params))


def unlock_slot(paths: StatePaths, person: str, passphrase: bytes) -> Identity:
    """Return the identity in a person's slot; :class:`Refused` for a wrong passphrase or a person without one.

    For somebody unknown another slot is tried, which must fail, so that the answer takes as long as for a wrong
    passphrase and does not tell who exists.
    """
    path = paths.slot(person) if PERSON.fullmatch(person) else None
    known = path is not None and path.exists()
    target = path if path is not None and known else next(iter(sorted(paths.slots.glob("*.json"))), None)
    if target is None:
        raise Refused("Name or passphrase is wrong.", "Check both and try again.")
    try:
        secret = open_slot(target.read_bytes(), passphrase)
    except OSError as error:
        raise Damaged(f"The slot {target.name} cannot be read.", "Restore keys/ from a backup.") from error
    if not known:
        raise Refused("Name or passphrase is wrong.", "Check both and try again.")
    return Identity.parse(secret.decode("ascii"))
