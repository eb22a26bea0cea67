"""The log that only names the ends of all others, so that what is cut off one of them is missed.

The key agent writes it at every login and lock. Each other log but the command line's is written by one process, which
cannot witness its own end: whoever shortens the key agent's log has to shorten this one, too, and every browser that
logged in since then still remembers a line that is not there.
"""

from __future__ import annotations

from datetime import datetime

from appliance.audit.anchors import anchors_of, heads
from appliance.audit.ends import last_line, still_holds
from appliance.audit.log import AuditLog
from appliance.errors import Damaged
from appliance.paths import StatePaths

PROCESS = "witness"


class Witness:
    """Keeps that log. Its caller holds a lock of its own."""

    def __init__(self, paths: StatePaths) -> None:
        """Open the log for appending."""
        self._paths = paths
        self._log = AuditLog(paths, PROCESS)

    def misses(self) -> list[str]:
        """Return the processes whose log does not hold any more what was seen of it last."""
        seen, _ = last_line(self._paths, PROCESS)
        missing = []
        for anchor in anchors_of(seen):
            try:
                held = still_holds(self._paths, anchor.process, anchor.seq, anchor.hash)
            except (Damaged, OSError):
                held = False
            if not held:
                missing.append(anchor.process)
        return missing

    def see(self, moment: datetime) -> None:
        """Write down how far every other log goes."""
        self._log.append(moment, "witness:record:seen", heads=heads(self._paths, PROCESS))
