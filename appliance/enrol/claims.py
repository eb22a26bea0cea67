"""Which browser of a device is the claimed one. Pure: rows and secrets in, verdicts out.

The secret lies in the browser's cookie, 32 random bytes; the box keeps SHA-256 of it, which needs no slow derivation.
It is renewed at every login. Until the browser shows the new one, the old one stays right: an answer that was lost on
the way would lock it out otherwise. Whoever shows one that was replaced and confirmed is another browser with a copy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from appliance.enrol.life import is_over, may_claim
from appliance.errors import Refused
from appliance.people.models import Device

SECRET_BYTES = 32
_SECRET = re.compile(r"[0-9a-f]{64}")


class NotClaimed(Refused):
    """The browser is not the one that was claimed on this device."""


def new_secret() -> str:
    """Return a fresh secret for a browser, 64 hex digits."""
    return secrets.token_hex(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Return what the box keeps of a secret; empty for no secret."""
    return hashlib.sha256(bytes.fromhex(secret)).hexdigest() if _SECRET.fullmatch(secret) else ""


def holds(device: Device, secret: str) -> bool:
    """Return whether ``secret`` is the claimed browser's."""
    shown = digest_of(secret)
    return any(kept != "" and hmac.compare_digest(kept, shown) for kept in (device.claim_hash, device.claim_next))


def claim(device: Device, secret: str, now: str) -> None:
    """Make the holder of ``secret`` the device's browser; :class:`Refused` when it has one or waited too long."""
    if not may_claim(device, now):
        raise Refused(
            "This device has its browser already, or waited too long.", "Ask the owner to let a browser in again."
        )
    device.claimed_at, device.claim_hash, device.claim_next, device.claim_ends = now, digest_of(secret), "", ""


def renew(device: Device, shown: str, fresh: str, now: str) -> None:
    """Give the claimed browser, which showed ``shown``, a fresh secret; the shown one stays right until then.

    Raises :class:`NotClaimed` for another browser, or a device that is not let in any more.
    """
    if device.state != "active" or is_over(device, now) or not holds(device, shown):
        raise NotClaimed(
            "This browser was not let in on this device.", "Use the browser that was claimed, or ask the owner."
        )
    device.claim_hash, device.claim_next = digest_of(shown), digest_of(fresh)


def reopen(device: Device, ends: str) -> None:
    """Let another browser be claimed until ``ends``; the one before is out."""
    if device.state != "active":
        raise Refused(f"This device is {device.state}: that cannot be done with it.", "See: appliance device list")
    device.claimed_at = device.claim_hash = device.claim_next = ""
    device.claim_ends, device.suspicious = ends, False


def forget(device: Device) -> None:
    """Take the claim away."""
    device.claimed_at = device.claim_hash = device.claim_next = device.claim_ends = ""
