"""Audit lines of the command line, in a log of their own that every command appends to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appliance.audit.log import AuditLog
from appliance.paths import StatePaths

PROCESS = "cli"


def record(paths: StatePaths, moment: datetime, event: str, **fields: Any) -> None:
    """Append one line to cli.log and return once it is durable. ``event`` reads ``source:subject:action``."""
    log = AuditLog(paths, PROCESS)
    try:
        log.append(moment, event, **fields)
    finally:
        log.close()
