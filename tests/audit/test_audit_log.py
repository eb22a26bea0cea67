"""A log goes on from where it ended, however it ended."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit.anchors import heads
from appliance.audit.ends import head_of
from appliance.audit.entries import entries
from appliance.audit.line import FIRST, LONGEST_LINE, is_torn, line_hash, parse, render
from appliance.audit.log import AuditLog
from appliance.audit.room import ROOM_BYTES
from appliance.audit.verify import verify
from appliance.errors import Damaged, EnvironmentProblem
from appliance.paths import StatePaths

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def faults(paths: StatePaths, process: str = "keyagent") -> list[str]:
    return [entry.fault for entry in entries(paths, process)]


def problems(paths: StatePaths) -> list[str]:
    return [f"{p.file}:{p.line} {p.reason}" for log in verify(paths) for p in log.problems]


def filled(paths: StatePaths, count: int, process: str = "keyagent", **fields: object) -> AuditLog:
    log = AuditLog(paths, process)
    for number in range(count):
        log.append(NOON, "keyagent:study:view", study=f"s{number}", **fields)
    return log


def test_lines_are_numbered_and_chained(paths: StatePaths) -> None:
    filled(paths, 3)
    lines = [entry.fields for entry in entries(paths, "keyagent")]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert [line["prev"] for line in lines] == [FIRST, lines[0]["hash"], lines[1]["hash"]]


@pytest.mark.parametrize("kept", [1, 5, 30, -3])
def test_a_torn_last_line_is_kept_closed_off_and_passed_over_exactly_once(paths: StatePaths, kept: int) -> None:
    filled(paths, 3).close()
    path = paths.audit_log("keyagent")
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[: -len(last)] + last[:kept])
    log = AuditLog(paths, "keyagent")
    for _ in range(2):
        log.append(NOON, "keyagent:study:view", study="after")
    assert faults(paths) == ["", "", "torn", "", ""]
    assert path.read_bytes().splitlines()[2] == last[:kept].rstrip(b"\n")
    assert [e.fields["seq"] for e in entries(paths, "keyagent") if not e.fault] == [1, 2, 3, 4]
    assert problems(paths) == []


def test_a_last_line_that_lacks_only_its_end_of_line_is_whole(paths: StatePaths) -> None:
    filled(paths, 3).close()
    path = paths.audit_log("keyagent")
    path.write_bytes(path.read_bytes()[:-1])
    filled(paths, 1)
    assert faults(paths) == ["", "", "", ""]


@pytest.mark.parametrize(
    "more",
    [
        {"name": 'é\n"\\😀', "n": {"x": [1, "y"]}},
        {"heads": {name: {"seq": 3, "hash": "ab" * 32} for name in ("cli", "witness")}},
        {"name": '"prev":"' + "ab" * 32 + '","hash":"' + "ab" * 32 + '"}'},
    ],
    ids=["letters", "hashes of other logs", "what looks like an end"],
)
def test_every_cut_of_a_line_is_known_as_torn_and_no_change_of_a_whole_one_is(more: dict[str, object]) -> None:
    fields: dict[str, object] = {"seq": 12, "at": "2026-11-24T12:00:00.000Z", "event": "a:b:c", **more}
    fields["prev"] = FIRST
    fields["hash"] = line_hash(fields)
    raw = render(fields)
    assert parse(raw) == fields
    assert all(is_torn(raw[:length], 12) for length in range(1, len(raw)))
    assert not is_torn(raw[:40], 13) and not is_torn(raw, 12)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        found = parse(bytes(flipped))
        assert found is None or line_hash(found) != found["hash"], "a flipped bit went unnoticed"
        if found is None:
            assert not is_torn(bytes(flipped), 12), f"bit {bit} passes as a crash"


@given(st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_line_or_raise(raw: bytes) -> None:
    found = parse(raw)
    assert found is None or render(found) == raw
    is_torn(raw, 1)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 50, b"[" * 100_000, b"{}", b'{"seq":1}', b"\xff\xfe", b'{"seq":1e400}', b'{"a":' + b"9" * 5000 + b"}",
     b"x" * (3 * LONGEST_LINE), b'{"seq":4,"at":"\\ud800"}'],
)  # fmt: skip
def test_foreign_lines_are_named_and_break_nothing(paths: StatePaths, raw: bytes) -> None:
    log = filled(paths, 3)
    path = paths.audit_log("keyagent")
    with path.open("ab") as file:
        file.write(raw + b"\n")
    log.append(NOON, "keyagent:study:view")
    assert faults(paths) == ["", "", "", "foreign", ""]
    assert problems(paths) == ["keyagent.log:4 is not a line of this log"]
    assert AuditLog(paths, "keyagent").head.seq == 4


def test_a_log_without_any_readable_line_is_not_continued(paths: StatePaths) -> None:
    paths.audit_log("keyagent").write_bytes(b"nonsense\n" * 100)
    with pytest.raises(Damaged):
        AuditLog(paths, "keyagent")


def test_a_line_that_no_reader_would_find_again_is_not_written(paths: StatePaths) -> None:
    log = filled(paths, 1)
    with pytest.raises(EnvironmentProblem):
        log.append(NOON, "keyagent:study:view", headers=["0" * 64] * 16_000)
    log.append(NOON, "keyagent:study:view")
    assert faults(paths) == ["", ""]


def test_the_end_is_found_behind_any_number_of_torn_lines(paths: StatePaths) -> None:
    """Each start that is killed at once leaves one; the last whole line may lie megabytes before the end."""
    filled(paths, 2, headers=["0" * 64] * 9_000).close()
    path = paths.audit_log("keyagent")
    torn = b'{"seq":3,"at":"2026' + b"0" * 700_000
    for _ in range(6):
        with path.open("ab") as file:
            file.write(torn)
        assert AuditLog(paths, "keyagent").head.seq == 2
    AuditLog(paths, "keyagent").append(NOON, "keyagent:study:view")
    assert faults(paths) == ["", "", *["torn"] * 6, ""]
    assert head_of(paths, "keyagent").seq == 3


def test_two_writers_of_one_log_keep_one_chain(paths: StatePaths) -> None:
    first, second = AuditLog(paths, "cli"), AuditLog(paths, "cli")
    for number in range(20):
        (first, second)[number % 2].append(NOON, "cli:audit:export")
    assert [e.fields["seq"] for e in entries(paths, "cli")] == list(range(1, 21))
    assert problems(paths) == []


def test_a_full_file_is_put_away_and_the_chain_goes_on(paths: StatePaths) -> None:
    log = AuditLog(paths, "keyagent", segment_bytes=2000)
    other = AuditLog(paths, "keyagent", segment_bytes=2000)
    for number in range(50):
        (log, other)[number % 2].append(NOON, "keyagent:study:view", study=f"s{number}")
    files = paths.audit_segments("keyagent")
    assert len(files) > 5 and max(path.stat().st_size for path in files) < 2500
    assert [e.fields["seq"] for e in entries(paths, "keyagent")] == list(range(1, 51))
    assert AuditLog(paths, "keyagent").head.seq == 50
    assert problems(paths) == []


def test_room_for_lines_to_come_is_kept_behind_the_last_one_and_given_back_with_a_full_file(paths: StatePaths) -> None:
    def taken(path: Path) -> int:
        return path.stat().st_blocks * 512

    log = AuditLog(paths, "keyagent", segment_bytes=3 * ROOM_BYTES)
    line = "x" * 500_000
    for number in range(13):
        log.append(NOON, "keyagent:study:view", number=number, filler=line)
        path = paths.audit_log("keyagent")
        assert ROOM_BYTES // 2 <= taken(path) - path.stat().st_size <= ROOM_BYTES + 8192
    log.append(NOON, "keyagent:study:view")
    (full, current) = paths.audit_segments("keyagent")
    assert taken(full) - full.stat().st_size < 8192
    assert taken(current) - current.stat().st_size >= ROOM_BYTES // 2
    assert problems(paths) == []


def test_a_crash_between_putting_away_and_beginning_anew_loses_nothing(paths: StatePaths) -> None:
    filled(paths, 3).close()
    paths.audit_log("keyagent").rename(paths.audit_segment("keyagent", 1))
    AuditLog(paths, "keyagent").append(NOON, "keyagent:study:view")
    assert [e.fields["seq"] for e in entries(paths, "keyagent")] == [1, 2, 3, 4]
    assert problems(paths) == []


def test_the_order_is_by_number_whatever_the_clock_says(paths: StatePaths) -> None:
    log = AuditLog(paths, "keyagent")
    for years in (0, 10, -10, 0, 10, -10):
        log.append(NOON + timedelta(days=3653 * years), "keyagent:study:view", years=years)
    assert [e.fields["years"] for e in entries(paths, "keyagent")] == [0, 10, -10, 0, 10, -10]
    assert problems(paths) == []


def test_what_was_written_by_the_first_version_is_read(paths: StatePaths) -> None:
    line = {"seq": 1, "at": "2026-11-24T02:00:00.000Z", "event": "keyagent:person:login", "person": "é", "prev": FIRST}
    line["hash"] = line_hash(line)
    raw = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    paths.audit_log("keyagent").write_bytes(raw)
    AuditLog(paths, "keyagent").append(NOON, "keyagent:person:logout")
    assert faults(paths) == ["", ""]


@pytest.mark.parametrize("how", ["cut", "gone", "emptied"])
def test_lines_that_are_cut_off_under_a_running_process_are_named_by_its_next_line(paths: StatePaths, how: str) -> None:
    log = AuditLog(paths, "keyagent")
    for number in range(4):
        log.append(NOON, "keyagent:study:view", study=f"s{number}")
    path = paths.audit_log("keyagent")
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "cut":
        path.write_bytes(b"".join(lines[:2]))
    elif how == "gone":
        path.unlink()
    else:
        path.write_bytes(b"")
    for _ in range(5):
        log.append(NOON, "keyagent:study:view", study="after")
    (found,) = [problem for one in verify(paths) for problem in one.problems]
    assert (found.process, found.line) == ("keyagent", 4)
    assert "is not the line that line" in found.reason


def test_what_is_no_plain_file_is_named_and_neither_read_nor_written(paths: StatePaths, tmp_path: Path) -> None:
    os.mkfifo(paths.audit_log("pipe"))
    paths.audit_log("folder").mkdir()
    paths.audit_log("endless").symlink_to("/dev/zero")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"kept")
    paths.audit_log("link").symlink_to(elsewhere)
    AuditLog(paths, "keyagent").append(NOON, "keyagent:person:login", heads=heads(paths, "keyagent"))
    found = [problem for one in verify(paths) for problem in one.problems]
    assert {(one.process, one.line, one.reason) for one in found} == {
        (name, 0, "is not a plain file") for name in ("pipe", "folder", "endless", "link")
    }
    for name in ("pipe", "folder", "endless", "link"):
        with pytest.raises((EnvironmentProblem, Damaged)):
            AuditLog(paths, name)
    assert elsewhere.read_bytes() == b"kept"


@pytest.mark.parametrize("digits", [16, 4300, 5000])
def test_a_number_that_nobody_counts_to_makes_no_line_and_breaks_no_reader(paths: StatePaths, digits: int) -> None:
    log = AuditLog(paths, "keyagent")
    log.append(NOON, "keyagent:person:login")
    log.close()
    path, raw = paths.audit_log("keyagent"), paths.audit_log("keyagent").read_bytes()
    number = b"9" * digits
    line = {"first": raw.replace(b'"seq":1', b'"seq":' + number)}
    line["other"] = raw.replace(b'"seq":1', b'"seq":2').replace(b'"prev"', b'"n":' + number + b',"prev"')
    for beyond in line.values():
        assert parse(beyond.rstrip(b"\n")) is None
        for cut in (len(beyond), len(beyond) - 70, beyond.index(number) + digits):
            path.write_bytes(raw + beyond[:cut] + b"\njunk\n")
            assert faults(paths)[0] == "" and set(faults(paths)[1:]) <= {"foreign", "torn"}
            assert problems(paths)
            AuditLog(paths, "keyagent").close()


def test_a_line_that_others_are_told_of_is_on_the_disk_first(
    paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process may be between writing it and having it synced."""
    filled(paths, 2, "receiver").close()
    filled(paths, 3, "web").close()
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    assert {process: head["seq"] for process, head in heads(paths, "web").items()} == {"receiver": 2}
    assert synced == [str(paths.audit_log("receiver"))]
