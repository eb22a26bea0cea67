"""Whatever is taken from a log or changed in it is found, and named by log and line."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from appliance.audit.anchors import heads
from appliance.audit.ends import Head, still_holds
from appliance.audit.entries import entries
from appliance.audit.line import FIRST, line_hash, render
from appliance.audit.log import AuditLog
from appliance.audit.prune import CUT, prune
from appliance.audit.verify import Problem, verify
from appliance.audit.witness import Witness
from appliance.errors import Damaged
from appliance.paths import StatePaths

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FLIPS = int(os.environ.get("NEGATO_TEST_FLIPS", "300"))


def view(log: AuditLog, count: int = 1, moment: datetime = NOON) -> Head:
    for number in range(count):
        head = log.append(moment, "keyagent:study:view", study=f"s{number}")
    return head


def anchor(paths: StatePaths, moment: datetime = NOON) -> None:
    log = AuditLog(paths, "keyagent")
    log.append(moment, "keyagent:person:login", heads=heads(paths, "keyagent"))
    log.close()


def problems(paths: StatePaths) -> list[Problem]:
    return [problem for log in verify(paths) for problem in log.problems]


def without_line(paths: StatePaths, process: str, number: int) -> None:
    path = paths.audit_log(process)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: number - 1] + lines[number:]))


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_a_removed_line_is_found_at_the_line_that_follows(paths: StatePaths, number: int) -> None:
    view(AuditLog(paths, "keyagent"), 10)
    without_line(paths, "keyagent", number)
    (found,) = problems(paths)
    assert (found.process, found.file, found.line) == ("keyagent", "keyagent.log", number)


def test_an_exchanged_pair_a_doubled_and_a_foreign_chain_are_found(paths: StatePaths) -> None:
    view(AuditLog(paths, "keyagent"), 6)
    path = paths.audit_log("keyagent")
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (
        [*lines[:2], lines[3], lines[2], *lines[4:]],
        [*lines[:3], lines[2], *lines[3:]],
        lines[:3] + lines[1:],
    ):
        path.write_bytes(b"".join(changed))
        assert problems(paths) != []


def test_an_altered_line_with_a_new_hash_is_found_at_the_next(paths: StatePaths) -> None:
    view(AuditLog(paths, "keyagent"), 4)
    path = paths.audit_log("keyagent")
    lines = path.read_bytes().splitlines()
    fields = next(e.fields for e in entries(paths, "keyagent") if e.fields["seq"] == 2) | {"study": "another"}
    fields["hash"] = line_hash(fields)
    lines[1] = render(fields)
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert [found.line for found in problems(paths)] == [3]


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_the_cut_tail_of_a_log_is_caught_by_the_anchor_in_another(paths: StatePaths, kept: int) -> None:
    view(AuditLog(paths, "web"), 5)
    anchor(paths)
    path = paths.audit_log("web")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    (found,) = problems(paths)
    assert (found.process, found.file, found.line) == ("web", "web.log", kept)
    assert "line 1 of keyagent.log saw number 5: the end was cut" in found.reason


def test_a_log_that_vanished_is_caught_by_the_anchor(paths: StatePaths) -> None:
    view(AuditLog(paths, "web"), 5)
    anchor(paths)
    paths.audit_log("web").unlink()
    assert [found.process for found in problems(paths)] == ["web"]


def test_a_log_that_was_written_anew_is_caught_by_the_anchor(paths: StatePaths) -> None:
    view(AuditLog(paths, "web"), 5)
    anchor(paths)
    paths.audit_log("web").unlink()
    log = AuditLog(paths, "web")
    for _ in range(9):
        log.append(NOON, "web:other:story")
    assert [(found.process, found.line) for found in problems(paths)] == [("web", 5)]


def test_lines_written_after_an_anchor_accuse_nobody(paths: StatePaths) -> None:
    log = AuditLog(paths, "web")
    view(log, 5)
    anchor(paths)
    view(log, 5)
    assert problems(paths) == []
    (_, web) = verify(paths)
    assert (web.lines, web.anchored) == (10, 5)


def test_single_flipped_bits_are_all_found(paths: StatePaths) -> None:
    """In every log that another one anchors, its last line included."""
    view(AuditLog(paths, "web"), 8)
    anchor(paths)
    view(AuditLog(paths, "keyagent"), 3)
    operator = AuditLog(paths, "cli")
    operator.append(NOON, "cli:audit:export", heads=heads(paths, "cli"))
    assert problems(paths) == []
    chance = random.Random(7)
    for _ in range(FLIPS):
        path = chance.choice([paths.audit_log("web"), paths.audit_log("keyagent")])
        whole = path.read_bytes()
        bit = chance.randrange(len(whole) * 8)
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert problems(paths) != [], f"bit {bit} of {path.name}"
        path.write_bytes(whole)


def aged(paths: StatePaths, process: str = "keyagent") -> AuditLog:
    """A log over four months, so that three files were put away."""
    log = AuditLog(paths, process)
    for month in (8, 9, 10, 11):
        view(log, 4, datetime(2026, month, 5, tzinfo=UTC))
    return log


def test_a_month_that_passed_is_put_away(paths: StatePaths) -> None:
    aged(paths)
    assert [path.name for path in paths.audit_segments("keyagent")] == [
        "keyagent.000000000001.log",
        "keyagent.000000000005.log",
        "keyagent.000000000009.log",
        "keyagent.log",
    ]
    assert problems(paths) == []


def test_what_was_pruned_is_recorded_and_what_stays_verifies(paths: StatePaths) -> None:
    log = aged(paths)
    assert prune(paths, "keyagent", datetime(2026, 10, 1, tzinfo=UTC), NOON) == 8
    view(log, 2)
    assert [path.name for path in paths.audit_segments("keyagent")] == ["keyagent.000000000009.log", "keyagent.log"]
    assert problems(paths) == []
    cuts = [e.fields for e in entries(paths, "keyagent") if e.fields["event"] == CUT]
    assert [(cut["first"], cut["last"], cut["youngest"][:10]) for cut in cuts] == [
        (1, 4, "2026-08-05"),
        (5, 8, "2026-09-05"),
    ]
    (state,) = verify(paths)
    assert (state.first, state.last) == (9, 20)


def test_a_file_that_vanished_without_a_record_is_found(paths: StatePaths) -> None:
    aged(paths)
    paths.audit_segments("keyagent")[0].unlink()
    (found,) = problems(paths)
    assert (found.file, found.line) == ("keyagent.000000000005.log", 1)
    assert "no pruning removed those before it" in found.reason


def test_a_file_that_vanished_from_the_middle_is_found(paths: StatePaths) -> None:
    aged(paths)
    paths.audit_segments("keyagent")[1].unlink()
    assert [found.file for found in problems(paths)] == ["keyagent.000000000009.log"]


def test_a_pruning_that_was_cut_short_after_its_record_is_harmless(paths: StatePaths) -> None:
    aged(paths)
    first = paths.audit_segments("keyagent")[0]
    kept = first.read_bytes()
    prune(paths, "keyagent", datetime(2026, 9, 1, tzinfo=UTC), NOON)
    first.write_bytes(kept)
    assert problems(paths) == []
    assert prune(paths, "keyagent", datetime(2026, 9, 1, tzinfo=UTC), NOON) == 4
    assert problems(paths) == []


def test_a_damaged_file_is_evidence_and_is_not_pruned(paths: StatePaths) -> None:
    aged(paths)
    first = paths.audit_segments("keyagent")[0]
    first.write_bytes(first.read_bytes().replace(b'"s1"', b'"s9"'))
    with pytest.raises(Damaged, match=r"Line 2 of keyagent\.000000000001\.log"):
        prune(paths, "keyagent", NOON, NOON)
    assert first.exists()


def test_a_file_with_one_younger_line_stays(paths: StatePaths) -> None:
    """A clock that jumped back wrote an old date after a new one."""
    log = AuditLog(paths, "keyagent", segment_bytes=500)
    for days in (0, -4000, 0, -4000, -4000, -4000):
        view(log, 1, NOON + timedelta(days=days))
    assert prune(paths, "keyagent", NOON, NOON) == 0


def test_pruned_lines_are_no_cut_tail_to_an_anchor(paths: StatePaths) -> None:
    aged(paths, "web")
    anchor(paths, datetime(2026, 8, 6, tzinfo=UTC))
    prune(paths, "web", datetime(2026, 10, 1, tzinfo=UTC), NOON)
    assert problems(paths) == []


def test_a_remembered_head_is_in_the_log_or_the_disk_was_put_back(paths: StatePaths) -> None:
    log = AuditLog(paths, "keyagent")
    view(log, 4)
    then = paths.audit_log("keyagent").read_bytes()
    seen = view(log, 4)
    assert still_holds(paths, "keyagent", seen.seq, seen.hash)
    assert still_holds(paths, "keyagent", 0, FIRST)
    assert not still_holds(paths, "keyagent", seen.seq, "f" * 64)
    paths.audit_log("keyagent").write_bytes(then)
    assert not still_holds(paths, "keyagent", seen.seq, seen.hash)
    view(AuditLog(paths, "keyagent"), 9, NOON + timedelta(seconds=1))
    assert not still_holds(paths, "keyagent", seen.seq, seen.hash)
    paths.audit_log("keyagent").unlink()
    assert not still_holds(paths, "keyagent", seen.seq, seen.hash)


def test_a_remembered_head_that_was_pruned_is_no_alarm(paths: StatePaths) -> None:
    log = aged(paths)
    by_number = {e.fields["seq"]: e.fields["hash"] for e in entries(paths, "keyagent")}
    prune(paths, "keyagent", datetime(2026, 10, 1, tzinfo=UTC), NOON)
    view(log)
    for number in (3, 8, 9, 14):
        assert still_holds(paths, "keyagent", number, by_number[number])
    assert not still_holds(paths, "keyagent", 8, "f" * 64)


def test_an_archive_without_the_line_that_made_it_is_noticed(paths: StatePaths) -> None:
    assert problems(paths) == []
    paths.format.write_text("1\n")
    (found,) = problems(paths)
    assert str(found) == "log cli: cli.log is gone: its first line said that the archive was made"
    paths.audit_log("cli").touch()
    assert len(problems(paths)) == 1
    AuditLog(paths, "cli").append(NOON, "cli:archive:init")
    assert problems(paths) == []


@pytest.mark.parametrize("how", ["cut", "gone", "emptied"])
def test_the_witness_misses_what_was_cut_since_it_saw_it(paths: StatePaths, how: str) -> None:
    log, witness = AuditLog(paths, "keyagent"), Witness(paths)
    assert witness.misses() == set()
    view(log, 4)
    witness.see(NOON)
    view(log, 2)
    assert witness.misses() == set()
    log.close()
    path = paths.audit_log("keyagent")
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(b"".join(lines[:3]) if how == "cut" else b"")
    assert witness.misses() == {"keyagent"}
    (found,) = problems(paths)
    assert found.process == "keyagent"
    assert "line 1 of witness.log saw number 4: the end was cut" in found.reason
    view(AuditLog(paths, "keyagent"), 9, NOON + timedelta(seconds=1))
    assert witness.misses() == {"keyagent"}
    (found,) = problems(paths)
    assert (found.process, found.line) == ("keyagent", 4)
