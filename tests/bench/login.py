"""How soon after a login is listed what came while the archive was locked; Orthanc has no such state."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.ours import Ours, wait_for
from tests.bench.sender import spread, storescu
from tests.bench.store import Say

TURNS = 3
MOST_SECONDS = 2.0  # expected of 500 slices


def measure(files: list[Path], work: Path, say: Say) -> list[dict[str, Any]]:
    """Return the seconds of a login, and of a login until ``files``, received before it, are listed: medians."""
    alone, listed = [], []
    for _ in range(TURNS):
        system = Ours()
        try:
            system.start(login=False)
            begun = time.monotonic()
            system.login()
            alone.append(time.monotonic() - begun)
            system.restart(login=False)
            storescu(spread(files, 4, work / "locked"), system.dicom_port, nodelay=True)
            begun = time.monotonic()
            system.login()
            wait_for(system, len(files))
            listed.append(time.monotonic() - begun)
            say(f"login: {listed[-1]:.2f} s until {len(files)} images are listed, {alone[-1]:.2f} s without any")
        finally:
            system.clean()
    return [
        {"what": "login, nothing received", "system": "ours", "value": median(alone), "unit": "s"},
        {
            "what": f"login until {len(files)} images are listed",
            "system": "ours",
            "value": median(listed),
            "unit": "s",
            "at_most": MOST_SECONDS,
        },
    ]
