"""C-STORE throughput: fresh archives, the systems taking turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import orthanc
from tests.bench.memory import Peak, pss
from tests.bench.ours import Ours, wait_for
from tests.bench.sender import spread, storescu

Say = Callable[[str], None]


@contextmanager
def nodelay(on: bool) -> Iterator[None]:
    """Set ``TCP_NODELAY=1`` for what is started inside: Orthanc is dcmtk too, and answers in two small writes."""
    before = os.environ.pop("TCP_NODELAY", None)
    if on:
        os.environ["TCP_NODELAY"] = "1"
    try:
        yield
    finally:
        os.environ.pop("TCP_NODELAY", None)
        if before is not None:
            os.environ["TCP_NODELAY"] = before


def systems() -> list[Callable[[], Any]]:
    """Return what makes each system: ours, and Orthanc where it is installed."""
    return [Ours, orthanc.Orthanc] if orthanc.installed() else [Ours]


def measure(sets: dict[str, list[Path]], work: Path, rounds: int, say: Say) -> list[dict[str, Any]]:
    """Return a row for each set, number of associations, kind of sender and system: medians over ``rounds``."""
    cases = [(kind, shares, quick) for kind in sets for shares in (1, 4) for quick in (True, False)]
    seen: dict[tuple[str, int, bool, str], list[tuple[float, float, float]]] = {}
    for turn in range(rounds):
        for case in cases:
            kind, shares, quick = case
            order = systems()
            for make in order if turn % 2 == 0 else reversed(order):
                result = _once(make, sets[kind], spread(sets[kind], shares, work / kind), quick)
                seen.setdefault((*case, result[0]), []).append(result[1:])
                say(f"store {kind}, {_words(shares, quick)}: {result[0]} {len(sets[kind]) / result[1]:.1f}/s")
    rows = []
    for (kind, shares, quick, system), results in seen.items():
        seconds = median(result[0] for result in results)
        size = sum(path.stat().st_size for path in sets[kind])
        rows.append(
            {
                "what": f"C-STORE {kind}, {_words(shares, quick)}",
                "system": system,
                "per_second": len(sets[kind]) / seconds,
                "megabytes_per_second": size / 1e6 / seconds,
                "listed_after_seconds": median(result[1] for result in results),
                "start_seconds": median(result[2] for result in results),
                "rounds": [round(result[0], 3) for result in results],
            }
        )
    return rows


def footprint(files: list[Path], work: Path, say: Say) -> dict[str, Any]:
    """Return start time, and memory of every process: idle, and at its highest while four associations store."""
    report: dict[str, Any] = {}
    for make in systems():
        system = make()
        try:
            starts = [system.start()]
            idle = {name: pss(pid) for name, pid in system.pids().items()}
            with Peak(system.pids) as peak:
                storescu(spread(files, 4, work / "ct"), system.dicom_port, nodelay=True)
                wait_for(system, len(files))
            for _ in range(2):
                starts.append(system.restart() if isinstance(system, Ours) else _again(system))
            report[system.name] = {
                "start_seconds": median(starts),
                "idle_bytes": idle,
                "idle_bytes_together": sum(idle.values()),
                "peak_bytes": peak.seen,
                "peak_bytes_together": peak.together,
            }
            say(f"memory: {system.name} {sum(idle.values()) / 1e6:.0f} MB idle, {peak.together / 1e6:.0f} MB at most")
        finally:
            system.clean()
    return report


def _again(system: orthanc.Orthanc) -> float:
    system.stop()
    return system.start()


def _once(
    make: Callable[[], Any], files: list[Path], folders: list[Path], quick: bool
) -> tuple[str, float, float, float]:
    """Return the system's name, seconds to store, further seconds until all is listed, seconds to start."""
    system = make()
    try:
        with nodelay(quick):
            started = system.start()
        seconds = storescu(folders, system.dicom_port, nodelay=quick)
        return system.name, seconds, wait_for(system, len(files)), started
    finally:
        system.clean()


def _words(shares: int, quick: bool) -> str:
    return f"{shares} association{'s' if shares > 1 else ''}, {'TCP_NODELAY=1' if quick else 'default sender'}"
