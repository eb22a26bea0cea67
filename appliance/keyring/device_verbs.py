"""The key agent's verbs about devices: what is written down of them, the end of their sessions, a browser's half."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from appliance.errors import BadInput, Refused
from appliance.keyring.approvals import Approvals
from appliance.keyring.door import Door
from appliance.keyring.halves import Halves
from appliance.keyring.leases import Caller, LeaseTable
from appliance.keyring.paper import require_paper_key
from appliance.keyring.record import Record
from appliance.paths import StatePaths

# What people do with devices and equipment, and what happens of itself.
DEVICE_ACTS = frozenset(
    {"invite", "pause", "resume", "revoke", "rename", "reopen", "confirm", "refuse", "endpoints", "recover"}
)
DEVICE_EVENTS = frozenset({"seen", "expired", "claim", "claim_refused", "other_browser"})
LONGEST_REASON = 64
# Whose wrong guesses those of the paper key are counted as; nobody's id.
PAPER = "paper"
_DEVICE = re.compile(r"[0-9a-f]{16}|")


class DeviceVerbs:
    """Part of the agent; the table of verbs and their forms stands there."""

    def __init__(
        self,
        paths: StatePaths,
        record: Record,
        leases: LeaseTable,
        lock: threading.Lock,
        door: Door,
        halves: Halves,
        after_end: Callable[[], None],
    ) -> None:
        """``lock`` guards ``leases``; ``after_end`` is called when sessions ended, without it."""
        self._paths = paths
        self._record = record
        self._leases = leases
        self._lock = lock
        self._door = door
        self._halves = halves
        self._after_end = after_end
        self._approvals = Approvals()

    def note(
        self, caller: Caller, act: str, device: str, person: str, token: str = "", reason: str = ""
    ) -> dict[str, Any]:
        """Write down what becomes of a device; it is durable when this returns.

        What people do needs the token of the one who does it. ``person`` is whose device it is; ``reason`` says more
        where there is more, for example the address of a sensor.
        """
        require_device(device)
        if act not in (DEVICE_ACTS if token else DEVICE_EVENTS) or max(map(len, (person, reason))) > LONGEST_REASON:
            raise BadInput("The key agent does not know this of a device.")
        told = {"device": device, "person": person, "reason": reason}
        if token:
            with self._lock:
                lease = self._leases.use(token, caller, time.monotonic())
            if lease.kind not in ("person", "recovery"):
                self._record.refuse(lease, "purpose")
                raise Refused("This session may change no device.", "Ask the owner of the box.")
            told |= {"by": lease.person or "paper key", "lease": lease.id}
        self._record.write(f"keyagent:device:{act}", **{name: said for name, said in told.items() if said})
        return {}

    def end_device(self, _caller: Caller, device: str, person: str) -> dict[str, Any]:
        """End every session on a device; with ``person``, take that person's half of a slot from it, too."""
        require_device(device)
        with self._lock:
            ended = self._leases.end_device(device) if device else []
            for lease in ended:
                self._record.write("keyagent:device:session_ended", person=lease.person, lease=lease.id, device=device)
        if device and person and self._halves.needs_half(person):
            with self._door.turn():
                self._halves.take_away(person, device)
        self._after_end()
        return {}

    def half(self, _caller: Caller, person: str) -> dict[str, Any]:
        """Tell whether somebody's slot needs a device's half."""
        return {"needed": self._halves.needs_half(person)}

    def approve(self, caller: Caller, token: str) -> dict[str, Any]:
        """Give somebody who is logged in a short code, with which a further browser of theirs gets the half."""
        now = time.monotonic()
        with self._lock:
            lease = self._leases.use(token, caller, now)
            if lease.kind != "person" or not self._halves.needs_half(lease.person):
                raise Refused("There is nothing to approve: this passphrase works without a device.", "")
            code = self._approvals.give(lease.person, now)
        self._record.write("keyagent:device:approve", person=lease.person, lease=lease.id)
        return {"code": code}

    def claim(
        self, _caller: Caller, person: str, passphrase: str, code: str, device: str, fresh: str
    ) -> dict[str, Any]:
        """Let one more browser hold the half, by the right password and a code from a session of that person."""
        require_device(device)
        with self._door.turn(person):
            now = time.monotonic()
            with self._lock:
                if not self._leases.has(person, now):
                    self._halves.forget(person)
                self._approvals.take(person, code, now)
            self._door.open(person, lambda: self._halves.share(person, passphrase, device, fresh))
        self._record.write("keyagent:device:half", person=person, device=device)
        return {}

    def shorten(self, caller: Caller, token: str, passphrase: str, password: str, shown: str) -> dict[str, Any]:
        """Replace the passphrase of whoever is logged in on a claimed device by a shorter password and a half."""
        with self._lock:
            lease = self._leases.use(token, caller, time.monotonic())
        if lease.kind != "person" or not lease.device:
            raise Refused("A shorter password is chosen on a claimed device.", "Log in on a phone or computer.")
        person = lease.person
        with self._door.turn(person):
            self._door.open(person, lambda: self._halves.shorten(person, passphrase, password, lease.device, shown))
        self._record.write("keyagent:person:password", person=person, lease=lease.id, device=lease.device)
        return {}

    def recover(self, caller: Caller, paper: str) -> dict[str, Any]:
        """Give out a lease for devices alone to whoever shows the paper key, as identity or as words."""
        with self._door.turn(PAPER):
            self._door.open(PAPER, lambda: require_paper_key(self._paths, paper))
        with self._lock:
            token, lease = self._leases.open_recovery(caller, time.monotonic())
        self._record.write("keyagent:paper:shown", lease=lease.id)
        return {"token": token}

    def forget_all(self) -> None:
        """Take back every code: the archive was locked."""
        self._approvals.forget_all()


def require_device(device: str) -> None:
    """Raise :class:`BadInput` unless ``device`` is an id of a device, or empty."""
    if not _DEVICE.fullmatch(device):
        raise BadInput("This is no id of a device.")
