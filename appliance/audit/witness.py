"""The log that only names the ends of all others, so that what is cut off one of them is missed.

The key agent writes it at every login and lock. Each other log but the command line's is written by one process, which
cannot witness its own end: whoever shortens the key agent's log has to shorten this one, too, and every browser that
logged in since then still remembers a line that is not there.
"""

from __future__ import annotations

from datetime import datetime

from appliance.audit.anchors import anchors_of, heads, missed
from appliance.audit.ends import last_line
from appliance.audit.log import AuditLog
from appliance.errors import Damaged
from appliance.paths import StatePaths

PROCESS = "witness"


class Witness:
    """Keeps that log. Its caller holds a lock of its own."""

    def __init__(self, paths: StatePaths) -> None:
        """Begin; the log is opened when something is seen."""
        self._paths = paths
        self._log: AuditLog | None = None

    def misses(self) -> set[str]:
        """Return the processes whose log does not hold any more what was seen of it last, our own if it is unreadable.

        A log of ours that was cut or is gone knows nothing of that: whoever names its end notices.
        """
        try:
            seen, _ = last_line(self._paths, PROCESS)
        except (Damaged, OSError):
            return {PROCESS}
        return missed(self._paths, anchors_of(seen))

    def see(self, moment: datetime) -> None:
        """Write down how far every other log goes; :class:`NegatoError` when that cannot be done."""
        if self._log is None:
            self._log = AuditLog(self._paths, PROCESS)
        self._log.append(moment, "witness:record:seen", heads=heads(self._paths, PROCESS))
