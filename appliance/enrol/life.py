"""What may become of a device: a table of states and acts, and the verdicts on time. Pure.

Times are RFC 3339 texts in UTC with milliseconds (:func:`appliance.clock.stamp`), which sort as they follow each other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, get_args

from appliance.clock import stamp
from appliance.errors import BadInput, Refused
from appliance.people.models import Device

Kind = Literal["phone", "computer", "practice_pc"]
State = Literal["invited", "active", "paused", "revoked"]
Act = Literal["seen", "pause", "resume", "revoke"]
KINDS: tuple[Kind, ...] = get_args(Kind)

INVITATION = timedelta(minutes=10)
# From the first handshake, or from when the owner asks for it again.
CLAIM = timedelta(minutes=60)
LONGEST_DAYS = 3650

_NEXT: dict[tuple[str, Act], State] = {
    ("invited", "seen"): "active",
    ("invited", "revoke"): "revoked",
    ("active", "seen"): "active",
    ("active", "pause"): "paused",
    ("active", "revoke"): "revoked",
    ("paused", "resume"): "active",
    ("paused", "revoke"): "revoked",
    ("revoked", "revoke"): "revoked",
}


def after(state: str, act: Act) -> State:
    """Return the state that follows; :class:`Refused` for an act that this state does not know."""
    try:
        return _NEXT[state, act]
    except KeyError:
        raise Refused(f"This device is {state}: that cannot be done with it.", "See: appliance device list") from None


def require_kind(kind: str) -> Kind:
    """Return ``kind`` if there is such a one, else raise :class:`BadInput`."""
    for known in KINDS:
        if kind == known:
            return known
    raise BadInput("There is no such kind of device.", f"Choose one of {', '.join(KINDS)}.")


def expiry(days: int, moment: datetime) -> str:
    """Return when a device that is lent for ``days`` expires; empty for 0, which is never."""
    if not 0 <= days <= LONGEST_DAYS:
        raise BadInput(f"A device is let in for 1 to {LONGEST_DAYS} days, or for good.")
    return stamp(moment + timedelta(days=days)) if days else ""


def is_over(device: Device, now: str) -> bool:
    """Return whether the invitation has lapsed or the device has expired, though nobody wrote that down yet."""
    if device.state == "invited":
        return now >= device.invitation_ends
    return device.expires != "" and now >= device.expires


def is_let_in(device: Device, now: str) -> bool:
    """Return whether the tunnel carries this device at ``now``."""
    return device.state in ("invited", "active") and not is_over(device, now)


def may_claim(device: Device, now: str) -> bool:
    """Return whether a browser on this device may still be claimed."""
    return device.state == "active" and not is_over(device, now) and not device.claimed_at and now < device.claim_ends
