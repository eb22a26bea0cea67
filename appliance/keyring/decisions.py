"""Who may decide what about images (docs/decisions-on-images.md): asked before a decision is taken."""

from __future__ import annotations

# Demographics are everybody's work who reads, retention is the owner's.
DECIDES: dict[str, frozenset[str]] = {
    "merge": frozenset({"owner", "doctor", "assistant"}),
    "correction": frozenset({"owner", "doctor", "assistant"}),
    "hold": frozenset({"owner", "doctor"}),
    "quarantine": frozenset({"owner", "doctor"}),
    "release": frozenset({"owner", "doctor"}),
    "tombstone": frozenset({"owner"}),
}
# What the sorting desk decides by itself: a second image under a UID that is taken.
SETTLES = frozenset({"quarantine"})


def objection(lease_kind: str, role: str, decision: str) -> str:
    """Return why a lease may not take a decision of this kind, empty when it may; ``role`` is of the lease's person."""
    if lease_kind == "job":
        return "" if decision in SETTLES else "purpose"
    if lease_kind != "person":
        return "purpose"
    return "" if role in DECIDES[decision] else "role"
