"""Mending what a check found and what can be derived: nothing that might be the only copy is ever deleted."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace

from appliance.paths import StatePaths
from appliance.upkeep.findings import Finding

LONGEST_NAME = 240  # bytes, of 255 with what makes it unique


def set_aside(paths: StatePaths, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Move strays and halves into strays/, delete renditions without an object; yield every finding as it is now."""
    for one in findings:
        path = paths.root / one.where
        if one.what in ("stray", "half"):
            paths.strays.mkdir(mode=0o750, exist_ok=True)
            path.rename(paths.strays / _fresh_name(path.name))
        elif one.what == "rendition-stray":
            path.unlink(missing_ok=True)
        else:
            yield one
            continue
        yield replace(one, repaired=True)


def _fresh_name(name: str) -> str:
    """Return a name that is not taken and no longer than a file system allows."""
    kept = os.fsencode(name.lstrip("."))[-LONGEST_NAME:]
    return f"{secrets.token_hex(4)}-{os.fsdecode(kept)}"
