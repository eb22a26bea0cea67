"""Audit lines of the command line: several commands may run at once, so each line is written under a lock."""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from typing import Any

from appliance.audit.log import AuditLog
from appliance.paths import StatePaths

PROCESS = "cli"


def record(paths: StatePaths, moment: datetime, event: str, **fields: Any) -> None:
    """Append one line to cli.log and return once it is durable. ``event`` reads ``source:subject:action``."""
    path = paths.audit_log(PROCESS)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        log = AuditLog(path)
        try:
            log.append(moment, event, **fields)
        finally:
            log.close()
    finally:
        os.close(fd)
