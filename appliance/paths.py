"""Every file name on disk: no other module spells one."""

from __future__ import annotations

import os
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
        self.key_sums = self.keys / "SHA256SUMS"
        self.key_journal = self.keys / "journal.json"
        self.paper_recipient = self.keys / "paper.pub"
        self.box_keys = self.keys / "box"
        self.sealed_wireguard_key = self.box_keys / "wireguard.age"
        self.system_db = root / "system.db"
        self.netd = root / "netd"
        self.wireguard_key = self.netd / "server.key"
        self.wireguard_public = self.netd / "server.pub"
        self.applied_network = self.netd / "network.json"
        self.endpoints = self.netd / "endpoints.json"
        self.tls = root / "tls"
        self.courier = root / "courier"
        self.way_in = self.courier / "way_in.json"
        self.audit = root / "audit"
        self.alarm = root / "alarm"
        self.exchanged = self.alarm / "recipients"
        self.tmp = root / "tmp"
        self.strays = root / "strays"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Return the chain and the key (PEM) for a name, where lego puts them below :attr:`tls`."""
        made = self.tls / "certificates"
        return made / f"{name}.crt", made / f"{name}.key"

    def slot(self, person: str) -> Path:
        """Return the slot file of a person's id."""
        return self.slots / f"{person}.json"

    def possession(self, person: str) -> Path:
        """Return the file in which a person's devices hold their half of the slot's key."""
        return self.slots / f"{person}.devices"

    def epoch_identity(self, epoch: int, kind: Kind) -> Path:
        """Return the sealed identity of one epoch, an age file."""
        return self.keys / f"{epoch}.{kind}.age"

    def epoch_recipient(self, epoch: int, kind: Kind) -> Path:
        """Return the public recipient of one epoch, one line of text."""
        return self.keys / f"{epoch}.{kind}.pub"

    def audit_log(self, process: str) -> Path:
        """Return the audit log that one process appends to."""
        return self.audit / f"{process}.log"

    def audit_segment(self, process: str, first: int) -> Path:
        """Return where a full log is put away; ``first`` is the number of its first line."""
        return self.audit / f"{process}.{first:012d}.log"

    def audit_segments(self, process: str) -> list[Path]:
        """Return the files of one process's log that are there, oldest first."""
        put_away = sorted(self.audit.glob(f"{process}.{'[0-9]' * 12}.log"))
        return [*put_away, *(path for path in (self.audit_log(process),) if os.path.lexists(path))]

    def audit_processes(self) -> list[str]:
        """Return whose logs there are, by name."""
        return sorted({path.name.split(".", 1)[0] for path in self.audit.glob("*.log")})


class RunPaths:
    """The sockets of the running processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keyagent = root / "keyagent.sock"
        self.decoder = root / "decoder.sock"
        self.netd = root / "netd.sock"
        self.courier = root / "courier.sock"
