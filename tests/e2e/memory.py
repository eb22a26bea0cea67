"""What running processes hold in memory, as root: how much, and which secrets."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

CHUNK = 16 * 1024 * 1024


def tree(pid: int) -> list[int]:
    """Return a process and everything below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def name(pid: int) -> str:
    """Return what a process of the appliance is called: its role, or the end of its command."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return command[command.index(b"run") + 1].decode() if b"run" in command else command[-2].decode()


def found_in(pid: int, secrets: dict[str, bytes]) -> set[str]:
    """Return the names of those ``secrets`` that lie in the writable memory of a process."""
    longest = max(map(len, secrets.values()))
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _writable(pid):
            at = start
            while at < end and len(found) < len(secrets):
                try:
                    raw = os.pread(memory.fileno(), min(CHUNK + longest, end - at), at)
                except OSError:
                    break
                found |= {label for label, secret in secrets.items() if secret in raw}
                at += CHUNK
    return found


def search(pids: Iterable[int], secrets: dict[str, bytes]) -> dict[str, set[str]]:
    """Return for each process by name which secrets it holds."""
    result: dict[str, set[str]] = {}
    for pid in pids:
        result.setdefault(name(pid), set()).update(found_in(pid, secrets))
    return result


def _writable(pid: int) -> list[tuple[int, int]]:
    ranges = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, rights = line.split()[:2]
        if rights.startswith("rw"):
            start, end = place.split("-")
            ranges.append((int(start, 16), int(end, 16)))
    return ranges


def peak(pid: int) -> int:
    """Return the largest memory a process ever had, in MiB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024
