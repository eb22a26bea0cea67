"""Audit lines of the command line, in a log of their own that every command appends to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appliance.audit.anchors import heads
from appliance.audit.log import COMMANDS, AuditLog
from appliance.paths import StatePaths


def record(paths: StatePaths, moment: datetime, event: str, **fields: Any) -> None:
    """Append one line to cli.log and return once it is durable. ``event`` reads ``source:subject:action``.

    The line anchors the ends of all other logs, as the key agent's lines at unlock and lock do.
    """
    log = AuditLog(paths, COMMANDS)
    try:
        log.append(moment, event, **fields, heads=heads(paths, COMMANDS))
    finally:
        log.close()
