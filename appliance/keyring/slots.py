"""The slots on disk: one file for each person who may read."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.errors import Damaged, NotFound, Refused
from appliance.keyring.disk import remove_key_file, write_key_file
from appliance.paths import StatePaths
from appliance.regular import read_regular
from appliance.sealing.identities import Identity
from appliance.sealing.slots import POSSESSION_SIZE, Argon2Params, SlotHeader, make_slot, open_slot, read_slot_header

PERSON = re.compile(r"[0-9a-f]{16}")
LARGEST = 1024 * 1024


def add_slot(
    paths: StatePaths,
    person: str,
    passphrase: bytes,
    identity: Identity,
    params: Argon2Params,
    possession: bytes = b"",
) -> None:
    """Seal a person's identity under a passphrase, in place of the slot that was there.

    ``possession`` is empty, or the 32 bytes that the person's devices hold (:mod:`appliance.keyring.possession`).
    """
    raw = make_slot(person, passphrase, identity.reveal().encode("ascii"), params, possession=possession)
    like = next(iter(sorted(paths.slots.glob("*.json"))), None)
    write_key_file(paths.slot(person), raw, like=like)


def unlock_slot(paths: StatePaths, person: str, passphrase: bytes, possession: bytes = b"") -> Identity:
    """Return the identity in a person's slot; :class:`Refused` for a wrong passphrase or a person without one.

    For somebody unknown another slot is tried, which must fail, so that the answer takes as long as for a wrong
    passphrase and does not tell who exists.
    """
    path = paths.slot(person) if PERSON.fullmatch(person) else None
    known = path is not None and path.exists()
    target = path if path is not None and known else next(iter(sorted(paths.slots.glob("*.json"))), None)
    if target is None:
        raise Refused("Name or passphrase is wrong.", "Check both and try again.")
    raw = _read(target)
    if known:
        secret = open_slot(raw, passphrase, possession, person)
    else:
        open_slot(raw, passphrase, bytes(POSSESSION_SIZE) if read_slot_header(raw).needs_possession else b"")
        raise Refused("Name or passphrase is wrong.", "Check both and try again.")
    return Identity.parse(secret.decode("ascii"))


def change_passphrase(paths: StatePaths, person: str, old: bytes, new: bytes, possession: bytes = b"") -> None:
    """Seal a person's identity under another passphrase at the cost it had; no other file changes.

    Raises :class:`Refused` for a wrong old passphrase; then nothing was changed.
    """
    identity = unlock_slot(paths, person, old, possession)
    add_slot(paths, person, new, identity, slot_header(paths, person).params, possession)


def slot_header(paths: StatePaths, person: str) -> SlotHeader:
    """Return what a person's slot says in clear; :class:`NotFound` when there is none, else :class:`Damaged`."""
    if not paths.slot(person).exists():
        raise NotFound("This person has no slot.")
    return read_slot_header(_read(paths.slot(person)))


def has_slot(paths: StatePaths, person: str) -> bool:
    """Return whether a person has a slot."""
    return paths.slot(person).exists()


def remove_slot(paths: StatePaths, person: str) -> None:
    """Remove a person's slot and what the person's devices hold of it; harmless when there is none."""
    paths.possession(person).unlink(missing_ok=True)
    remove_key_file(paths.slot(person))


def _read(slot: Path) -> bytes:
    try:
        return read_regular(slot, LARGEST)
    except OSError as error:
        raise Damaged(f"The slot {slot.name} cannot be read.", "Restore keys/ from a backup.") from error
