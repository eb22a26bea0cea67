"""What a check finds, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

What = Literal[
    "format",
    "folder-missing",
    "folder-linked",
    "folder-foreign",
    "no-folder",
    "shelf-missing",
    "record-altered",
    "tunnel-key-missing",
    "tunnel-key-damaged",
    "key-exchanged",
    "key-missing",
    "key-damaged",
    "keys-unfinished",
    "object-altered",
    "object-damaged",
    "object-missing",
    "note-missing",
    "note-damaged",
    "note-differs",
    "decision-missing",
    "decision-damaged",
    "people-damaged",
    "index-damaged",
    "row-missing",
    "row-differs",
    "image-lost",
    "half",
    "stray",
    "rendition-stray",
]

RESTORE = "Restore it from a backup."
SEND = "Restore it from a backup, or have the modality send the study again."
DEEP = "Run: appliance check --deep, which names the study; then restore it from a backup."
NEXT: Final[dict[What, str]] = {
    "format": RESTORE,
    "folder-missing": RESTORE,
    "folder-linked": "Find out who put the link there, remove it, restore the folder; what it leads to was left alone.",
    "folder-foreign": "Find out who made it, then remove it or give it to root; nothing is set aside meanwhile.",
    "no-folder": "Move away what lies there, then restore the folder from a backup.",
    "shelf-missing": "Run: appliance check --repair, which makes it; so does the box when an image belongs there.",
    "record-altered": "Keep the disk as it is and report it; appliance audit verify says what was changed.",
    "tunnel-key-missing": "Restore netd/ from a backup; with another key every device has to be added again.",
    "tunnel-key-damaged": "Restore netd/ from a backup; with another key every device has to be added again.",
    "key-exchanged": "Restore keys/ from a backup and log in, which ends the alarm; nothing is taken in until then.",
    "key-missing": "Restore keys/ from a backup; the images can be read with the paper key meanwhile.",
    "key-damaged": "Restore keys/ from a backup; the images can be read with the paper key meanwhile.",
    "keys-unfinished": "Run the command again that was cut short, or: appliance rotate. Either completes it first.",
    "object-altered": DEEP,
    "object-damaged": SEND,
    "object-missing": DEEP,
    "note-missing": "Run: appliance check --deep --repair, which makes it anew from the image.",
    "note-damaged": DEEP,
    "note-differs": SEND,
    "decision-missing": "Restore decisions/ from a backup; if there is none: appliance index rebuild --give-up",
    "decision-damaged": "Restore decisions/ from a backup, then run: appliance index rebuild",
    "people-damaged": RESTORE,
    "index-damaged": "Run: appliance check --deep --repair, or: appliance index rebuild",
    "row-missing": "Run: appliance check --deep --repair, or: appliance index rebuild",
    "row-differs": "Run: appliance check --deep --repair, or: appliance index rebuild",
    "image-lost": f"{SEND} What is gone for good: appliance index rebuild --give-up",
    "half": DEEP,
    "stray": "Run: appliance check --repair, which sets it aside in strays/.",
    "rendition-stray": "Run: appliance check --repair, which deletes it: it can be made again.",
}
NO_FOLDERS: Final = frozenset({"folder-linked", "no-folder", "folder-foreign"})
HALVES: Final = frozenset({"half", "note-missing", "object-missing"})
DERIVED: Final = frozenset({"index-damaged", "row-missing", "row-differs"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: ``where`` is a path below the state directory or a row, never a patient.

    ``study`` is a StudyInstanceUID, known to a deep check only; ``repaired`` says that nothing is left to do.
    """

    what: What
    where: str
    study: str | None = None
    next_step: str = ""
    repaired: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the finding as it is printed with ``--json``."""
        return asdict(self)


def finding(what: What, where: str, study: str | None = None) -> Finding:
    """Return a finding with the next step that belongs to it."""
    return Finding(what, where, study, SEND if study and NEXT[what] == DEEP else NEXT[what])
