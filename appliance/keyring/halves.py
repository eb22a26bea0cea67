"""The slots that a password opens together with a device: opened, made, shared with further browsers.

While somebody with such a slot is logged in, the half P is kept here in memory, so that it can be wrapped for another
browser of theirs; it goes with their last session.
"""

from __future__ import annotations

import contextlib

from appliance.errors import BadInput, NotFound, Refused
from appliance.keyring.disk import key_lock
from appliance.keyring.possession import add_wrap, new_half, open_wrap, renew_wrap, revoke_wrap
from appliance.keyring.slots import PERSON, add_slot, slot_header, unlock_slot
from appliance.paths import StatePaths
from appliance.sealing.device_wrap import SECRET_SIZE
from appliance.sealing.identities import Identity
from appliance.sealing.words import passphrase_bytes, require_strong

# Half of what opens the slot lies in a device: what is typed may be shorter.
PASSWORD_BITS = 50


class Halves:
    """Opens slots with what is typed and what a browser shows. The caller sees to it that one does so at a time."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths
        self._held: dict[str, bytes] = {}

    def open(self, person: str, passphrase: str, device: str, shown: str, fresh: str) -> Identity:
        """Return a person's identity. ``shown`` and ``fresh`` are a claimed browser's secret and its next one, in hex.

        :class:`Refused` for a wrong passphrase, and for a slot with a half when the browser does not hold it.
        """
        if not self.needs_half(person):
            return unlock_slot(self._paths, person, passphrase_bytes(passphrase))
        if not device:
            raise Refused("This password works on the person's own devices alone.", "Log in on one of them.")
        secret = read_secret(shown)
        half = open_wrap(self._paths, person, device, secret)
        identity = unlock_slot(self._paths, person, passphrase_bytes(passphrase), half)
        if fresh:
            with key_lock(self._paths):
                renew_wrap(self._paths, person, device, half, secret, read_secret(fresh))
        self._held[person] = half
        return identity

    def shorten(self, person: str, passphrase: str, password: str, device: str, shown: str) -> None:
        """Turn a passphrase's slot into one of a password and a half, which this browser holds from then on.

        The half is wrapped before the slot needs it. :class:`BadInput` for a password that is too easy to guess or a
        slot that has a half already, :class:`Refused` for a wrong passphrase.
        """
        if self.needs_half(person):
            raise BadInput("This slot has a device's half already.", "Change the password instead.")
        require_strong(password, PASSWORD_BITS)
        secret = read_secret(shown)
        identity = unlock_slot(self._paths, person, passphrase_bytes(passphrase))
        half, params = new_half(), slot_header(self._paths, person).params
        with key_lock(self._paths):
            add_wrap(self._paths, person, device, "browser", half, secret)
            add_slot(self._paths, person, passphrase_bytes(password), identity, params, half)
        self._held[person] = half

    def share(self, person: str, password: str, device: str, fresh: str) -> None:
        """Wrap the half of somebody who is logged in elsewhere for one more browser; the password must be right."""
        half = self._held.get(person)
        if half is None:
            raise Refused("Nobody can vouch for this browser now.", "Log in on a device that was claimed before.")
        secret = read_secret(fresh)
        unlock_slot(self._paths, person, passphrase_bytes(password), half)
        with key_lock(self._paths):
            add_wrap(self._paths, person, device, "browser", half, secret)

    def take_away(self, person: str, device: str) -> None:
        """Take the half from one device; harmless when it holds none."""
        with key_lock(self._paths):
            revoke_wrap(self._paths, person, device)

    def needs_half(self, person: str) -> bool:
        """Return whether somebody's slot needs a device's half."""
        if PERSON.fullmatch(person):
            with contextlib.suppress(NotFound):
                return slot_header(self._paths, person).needs_possession
        return False

    def forget(self, person: str) -> None:
        """Drop what is held of somebody."""
        self._held.pop(person, None)

    def forget_all(self) -> None:
        """Drop everything that is held."""
        self._held = {}


def read_secret(text: str) -> bytes:
    """Return a browser's secret of 64 hex digits as bytes; :class:`Refused` for anything else."""
    with contextlib.suppress(ValueError):
        secret = bytes.fromhex(text)
        if len(secret) == SECRET_SIZE:
            return secret
    raise Refused("This device is not one of the person's own.", "Claim the device.")
