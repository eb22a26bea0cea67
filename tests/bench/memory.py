"""Memory of processes as their proportional set size."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path


def pss(pid: int) -> int:
    """Return the proportional set size of a process in bytes; 0 when it has gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for member in found:
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue
    return found


class Peak:
    """Samples the proportional set size of named processes while the block runs; ``seen`` has each one's highest."""

    def __init__(self, pids: Callable[[], dict[str, int]], every: float = 0.2) -> None:
        self.seen: dict[str, int] = {}
        self.together = 0
        self._pids, self._every = pids, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            now = {name: pss(pid) for name, pid in self._pids().items()}
            self.together = max(self.together, sum(now.values()))
            for name, size in now.items():
                self.seen[name] = max(self.seen.get(name, 0), size)
