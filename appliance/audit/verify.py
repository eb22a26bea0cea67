"""Verifying all audit logs: each chain by itself, and the ends that lines of one log know of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.audit.anchors import Anchor, anchors_in
from appliance.audit.entries import Entry, entries
from appliance.audit.line import FIRST
from appliance.audit.prune import CUT
from appliance.paths import StatePaths

REASONS = {
    "foreign": "is not a line of this log",
    "altered": "was altered",
    "gap": "does not follow the line before it: lines were removed, put in or exchanged",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not verify: which log, which line of which file, and why."""

    process: str
    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Verified:
    """What was looked at. ``first`` is above 1 when older lines were pruned; ``torn`` counts lines cut by a crash."""

    process: str
    lines: int = 0
    torn: int = 0
    first: int = 0
    last: int = 0
    head: str = FIRST
    anchored: int = 0
    problems: list[Problem] = field(default_factory=list)


def verify(paths: StatePaths) -> list[Verified]:
    """Return the state of every log that there is or that another one knows of.

    Anchors are collected before the logs are followed, so that an appliance that goes on writing is not accused.
    """
    anchors = [a for process in paths.audit_processes() for entry in entries(paths, process) for a in anchors_in(entry)]
    processes = sorted({*paths.audit_processes(), *(anchor.process for anchor in anchors)})
    return [_follow(paths, process, [a for a in anchors if a.process == process]) for process in processes]


def _follow(paths: StatePaths, process: str, anchors: Sequence[Anchor]) -> Verified:
    found = Verified(process)
    wanted: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        wanted.setdefault(anchor.seq, []).append(anchor)
    begin: Entry | None = None
    cuts: set[tuple[int, str]] = set()
    where = Entry(process, paths.audit_log(process).name, 0, {})
    for entry in entries(paths, process):
        where = entry
        if entry.fault == "torn":
            found.torn += 1
            continue
        if entry.fault:
            found.problems.append(Problem(process, entry.file, entry.line, REASONS[entry.fault]))
            if entry.fault != "gap":
                continue
        fields = entry.fields
        begin = begin or entry
        found.lines += 1
        found.last, found.head = fields["seq"], fields["hash"]
        if fields["event"] == CUT and isinstance(fields.get("last"), int):
            cuts.add((fields["last"], str(fields.get("last_hash"))))
        for anchor in wanted.get(fields["seq"], []):
            if anchor.hash != fields["hash"]:
                reason = f"is not the line that {_named(anchor)} saw"
                found.problems.append(Problem(process, entry.file, entry.line, reason))
    if begin is not None:
        found.first = begin.fields["seq"]
        if found.first > 1 and (found.first - 1, begin.fields["prev"]) not in cuts:
            reason = "is the first line, but no pruning removed those before it"
            found.problems.append(Problem(process, begin.file, begin.line, reason))
    found.anchored = max(wanted, default=0)
    if found.anchored > found.last:
        anchor = wanted[found.anchored][0]
        reason = (
            f"is the last line (number {found.last}), but {_named(anchor)} saw number {anchor.seq}: the end was cut"
        )
        found.problems.append(Problem(process, where.file, where.line, reason))
    return found


def _named(anchor: Anchor) -> str:
    return f"line {anchor.by.line} of {anchor.by.file}"
