"""Deterministic UIDs for sample images."""

from __future__ import annotations

import hashlib
import uuid


def uid(*parts: object) -> str:
    """Return the UID that belongs to ``parts``, always the same, under the UUID root ``2.25`` (PS3.5 B.2)."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in ("negatoscope samples", *parts)).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def number(*parts: object) -> int:
    """Return a deterministic integer below 2**64 that belongs to ``parts``."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in ("negatoscope numbers", *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")
