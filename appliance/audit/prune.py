"""Removing what is older than it may be kept, so that what stays can still be verified.

Whole files go, oldest first, none with a younger line in it. Before one goes, a line in the same log says what it was:
its lines' numbers, the hash of the last of them and the SHA-256 of the file. That line is part of the chain, so that
lines which vanish without one are missed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.audit.entries import entries
from appliance.audit.log import AuditLog
from appliance.clock import stamp
from appliance.durable import sync_directory
from appliance.errors import Damaged
from appliance.paths import StatePaths

CUT = "cli:audit:cut"
KEPT_MONTHS = 12


@dataclass(slots=True)
class _File:
    """What one file of a log holds."""

    path: Path
    first: int
    last: int = 0
    last_hash: str = ""
    oldest: str = ""
    youngest: str = ""


def prune(paths: StatePaths, process: str, before: datetime, moment: datetime) -> int:
    """Remove the files of one log in which every line is older than ``before``; return how many lines went.

    The file that is being written stays. Raises :class:`Damaged` and removes nothing when a line among them does not
    verify: that is evidence.
    """
    going = _older(paths, process, stamp(before))
    if not going:
        return 0
    log = AuditLog(paths, process)
    try:
        for file in going:
            log.append(
                moment,
                CUT,
                first=file.first,
                last=file.last,
                last_hash=file.last_hash,
                oldest=file.oldest,
                youngest=file.youngest,
                sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
            )
            file.path.unlink()
            sync_directory(paths.audit)
    finally:
        log.close()
    return sum(file.last - file.first + 1 for file in going)


def _older(paths: StatePaths, process: str, limit: str) -> list[_File]:
    files: dict[str, _File] = {}
    current = paths.audit_log(process).name
    for entry in entries(paths, process):
        if entry.file == current:
            break
        if entry.fault == "torn":
            continue
        if entry.fault:
            raise Damaged(
                f"Line {entry.line} of {entry.file} does not verify; nothing was removed.",
                "Run: appliance audit verify",
            )
        fields = entry.fields
        file = files.setdefault(entry.file, _File(paths.audit / entry.file, fields["seq"], oldest=fields["at"]))
        file.last, file.last_hash = fields["seq"], fields["hash"]
        file.oldest, file.youngest = min(file.oldest, fields["at"]), max(file.youngest, fields["at"])
    going = []
    for file in files.values():
        if file.youngest >= limit:
            break
        going.append(file)
    return going
