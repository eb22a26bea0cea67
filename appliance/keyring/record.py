"""What the key agent writes down: its own log, and with the witness how far every log goes."""

from __future__ import annotations

import re
import time
from typing import Any

from appliance import clock
from appliance.audit.anchors import heads, last_seen, missed
from appliance.audit.ends import Head, still_holds
from appliance.audit.line import FIRST
from appliance.audit.log import AuditLog
from appliance.audit.witness import Witness
from appliance.errors import BadInput, Damaged, NegatoError
from appliance.keyring.leases import Lease
from appliance.logs import log
from appliance.paths import StatePaths

PROCESS = "keyagent"
SEEN_SECONDS = 60.0  # how often the witness looks at a log that grows
_HEAD = re.compile(r"(\d{1,15}):([0-9a-f]{64})|")


class Record:
    """Writes the lines. Whoever has it see the ends of all logs holds a lock of its own."""

    def __init__(self, paths: StatePaths, lines: AuditLog) -> None:
        """``lines`` is the key agent's log."""
        self._paths = paths
        self._lines = lines
        self._witness = Witness(paths)
        self._seen, self._looked = lines.head, time.monotonic()

    @property
    def head(self) -> Head:
        """Return the last line of the key agent's log; it is durable."""
        return self._lines.head

    def write(self, event: str, **fields: Any) -> Head:
        """Write one line of the key agent's; it is durable when this returns."""
        return self._lines.append(clock.now(), event, **fields)

    def write_if_it_can(self, event: str, **fields: Any) -> None:
        """Write down what gives nothing to anybody and must happen even if no trace of it can be kept."""
        try:
            self.write(event, **fields)
        except NegatoError as error:
            log("audit.unwritten", line=event, reason=type(error).__name__)

    def refuse(self, lease: Lease | None, reason: str, **asked: Any) -> None:
        """Write down that a lease, or none that is known, did not cover what was asked."""
        known = {"person": lease.person, "lease": lease.id} if lease is not None else {"lease": ""}
        self.write("keyagent:lease:refused", **known, reason=reason, **asked)

    def ends(self) -> dict[str, dict[str, Any]]:
        """Return how far every other log goes, as a line names it."""
        return heads(self._paths, PROCESS)

    def see_ends(self) -> None:
        """Have the witness write down how far every log goes, as far as there is room: it gives nothing to anybody.

        What it saw before is forgotten by that: whoever calls has told what was cut, or found nothing.
        """
        self._seen, self._looked = self._lines.head, time.monotonic()
        try:
            self._witness.see(clock.now())
        except NegatoError as error:
            log("audit.unwritten", line="witness", reason=type(error).__name__)

    def see_growth(self, now: float) -> None:
        """Have the witness see a log that grew, at most once a minute; what is missing is left for a login to tell."""
        if now - self._looked < SEEN_SECONDS or self._lines.head == self._seen:
            return
        self._looked = now
        if not self.cut_since_seen():
            self.see_ends()

    def lock(self, reason: str) -> None:
        """Write down that the archive is locked and how far every log goes, unless one was cut: a login tells of that.

        Never fails.
        """
        if self.cut_since_seen():
            self.write_if_it_can("keyagent:archive:lock", reason=reason)
            return
        self.write_if_it_can("keyagent:archive:lock", reason=reason, heads=self.ends())
        self.see_ends()

    def cut_since_seen(self) -> list[str]:
        """Return whose log lacks what the witness, or the newest login or lock of the key agent's log, saw of it.

        Each of the two logs names the other's end, so that neither can be cut or taken away alone; the last line of
        the witness, which nothing names yet, says no more than the log that it names. A log that cannot be read is
        among them.
        """
        try:
            ours = missed(self._paths, last_seen(self._paths, PROCESS))
        except (Damaged, OSError):
            ours = {PROCESS}
        return sorted(self._witness.misses() | ours)

    def forgot(self, remembered: Head) -> bool:
        """Return whether the key agent's log does not hold a line that a browser remembers as its last."""
        return not still_holds(self._paths, PROCESS, remembered.seq, remembered.hash)


def remembered_head(seen: str) -> Head:
    """Return the head that a browser remembers, ``seq:hash``; nothing remembered is the head of an empty log.

    Raises :class:`BadInput` when it is no head.
    """
    found = _HEAD.fullmatch(seen)
    if found is None:
        raise BadInput("The remembered head of the audit log is malformed.", "Leave it out.")
    return Head(int(found[1]), found[2]) if seen else Head(0, FIRST)
