"""Verifying all audit logs: each chain by itself, and the ends that lines of one log know of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.audit.anchors import Anchor, anchors_of
from appliance.audit.entries import Entry, entries
from appliance.audit.line import FIRST
from appliance.audit.log import COMMANDS
from appliance.audit.prune import CUT
from appliance.paths import StatePaths

REASONS = {
    "foreign": "is not a line of this log",
    "altered": "was altered",
    "gap": "does not follow the line before it: lines were removed, put in or exchanged",
    "special": "is not a plain file",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not verify: which log, which line of which file (0: all of it), and why."""

    process: str
    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Return it as a sentence without its end."""
        line = f"line {self.line} of " if self.line else ""
        return f"log {self.process}: {line}{self.file} {self.reason}"


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
    seen = [
        _Seen(anchor, entry)
        for process in paths.audit_processes()
        for entry in entries(paths, process)
        if not entry.fault
        for anchor in anchors_of(entry.fields)
    ]
    processes = {*paths.audit_processes(), *(one.anchor.process for one in seen)}
    if paths.format.exists():
        processes.add(COMMANDS)
    found = [_follow(paths, process, [one for one in seen if one.anchor.process == process]) for process in processes]
    for log in found:
        if log.process == COMMANDS and not log.lines and paths.format.exists():
            reason = "is gone: its first line said that the archive was made"
            log.problems.append(Problem(COMMANDS, paths.audit_log(COMMANDS).name, 0, reason))
    return sorted(found, key=lambda log: log.process)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An anchor and the line that holds it."""

    anchor: Anchor
    by: Entry

    def __str__(self) -> str:
        return f"line {self.by.line} of {self.by.file}"


def _follow(paths: StatePaths, process: str, seen: Sequence[_Seen]) -> Verified:
    found = Verified(process)
    wanted: dict[int, list[_Seen]] = {}
    for one in seen:
        wanted.setdefault(one.anchor.seq, []).append(one)
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
        for one in wanted.get(fields["seq"], []):
            if one.anchor.hash != fields["hash"]:
                reason = f"is not the line that {one} saw"
                found.problems.append(Problem(process, entry.file, entry.line, reason))
    if begin is not None:
        found.first = begin.fields["seq"]
        if found.first > 1 and (found.first - 1, begin.fields["prev"]) not in cuts:
            reason = "is the first line, but no pruning removed those before it"
            found.problems.append(Problem(process, begin.file, begin.line, reason))
    found.anchored = max(wanted, default=0)
    if found.anchored > found.last:
        one = wanted[found.anchored][0]
        reason = f"is the last line (number {found.last}), but {one} saw number {found.anchored}: the end was cut"
        found.problems.append(Problem(process, where.file, where.line, reason))
    return found
