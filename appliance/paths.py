"""Every file name on disk: no other module spells one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["notes", "images"]


class StatePaths:
    """The layout below a state directory (DESIGN: "State on disk")."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.format = root / "FORMAT"
        self.keys = root / "keys"
        self.slots = self.keys / "slots"
        self.inbox = root / "inbox"
        self.objects = root / "objects"
        self.notes = root / "notes"
        self.renditions = root / "renditions"
        self.decisions = root / "decisions"
        self.index_db = root / "index.db"
        self.index_lock = root / "index.lock"
        self.index_key = self.keys / "index.age"
        self.system_db = root / "system.db"
        self.audit = root / "audit"
        self.tmp = root / "tmp"
        self.strays = root / "strays"

    def slot(self, person: str) -> Path:
        """Return the slot file of a person's id."""
        return self.slots / f"{person}.json"

    def epoch_identity(self, epoch: int, kind: Kind) -> Path:
        """Return the sealed identity of one epoch, an age file."""
        return self.keys / f"{epoch}.{kind}.age"

    def epoch_recipient(self, epoch: int, kind: Kind) -> Path:
        """Return the public recipient of one epoch, one line of text."""
        return self.keys / f"{epoch}.{kind}.pub"

    def audit_log(self, process: str) -> Path:
        """Return the audit log that one process appends to."""
        return self.audit / f"{process}.log"


class RunPaths:
    """The sockets of the running processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keyagent = root / "keyagent.sock"
        self.decoder = root / "decoder.sock"
