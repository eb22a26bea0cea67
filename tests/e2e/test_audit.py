"""Who read what is written down by the box itself, can be shown to an auditor, and cannot be changed unnoticed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.audit.a5 import check
from tests.box import OWNER, PASSPHRASE, Box, running, wait_for
from tests.samples.collection import collection
from tests.samples.modality import send


@pytest.fixture
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box with three images of three studies."""
    with running(tmp_path_factory.mktemp("box")) as box:
        samples = [sample for sample in collection() if "CT_small" in sample.name or "MR_small" in sample.name][:3]
        assert all(answer.stored for answer in send(samples, "127.0.0.1", box.dicom_port))
        with box.login() as client:
            box.settled(client, len(samples))
        yield box


def audit(box: Box, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return box.run("audit", *arguments, "--state", str(box.state))


def lines(box: Box, *filters: str) -> list[dict[str, Any]]:
    done = audit(box, "list", "--json", *filters)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def look_at(client: httpx.Client) -> str:
    """Open the first picture of the first study, as the page does; return the study's key."""
    study = client.post("/api/studies/search", json={}).json()["studies"][0]["key"]
    series = client.get(f"/api/studies/{study}").json()["series"][0]["key"]
    instance = client.get(f"/api/series/{series}").json()["instances"][0]["key"]
    assert client.get(f"/api/instances/{instance}/frames/1").status_code == 200
    return str(study)


def test_one_look_at_a_series_is_one_line_that_names_the_reader_and_the_study(filled: Box) -> None:
    with filled.login() as client:
        before = len(lines(filled, "--event", "keyagent:study:"))
        study = look_at(client)
        look_at(client)
        found = lines(filled, "--event", "keyagent:study:", "--person", OWNER)
    assert len(found) == before + 1
    assert found[-1]["study"] == study and found[-1]["log"] == "keyagent"
    readable = audit(filled, "list", "--event", "keyagent:study:", "--limit", "1").stdout.decode()
    assert OWNER in readable and study in readable and " objects" in readable
    assert lines(filled, "--person", "somebody else") == []
    assert lines(filled, "--until", "2000-01-01") == [] and lines(filled, "--log", "web") == []
    assert audit(filled, "list", "--since", "yesterday").returncode == 2


def test_a_removed_line_is_found_and_named(filled: Box) -> None:
    with filled.login() as client:
        look_at(client)
    assert audit(filled, "verify").returncode == 0
    path = filled.state / "audit" / "keyagent.log"
    filled.stop()
    whole = path.read_bytes().splitlines(keepends=True)
    place = next(number for number, line in enumerate(whole) if b"keyagent:study:view" in line)
    path.write_bytes(b"".join(whole[:place] + whole[place + 1 :]))
    filled.start()
    with filled.login():
        pass
    done = audit(filled, "verify")
    assert done.returncode == 5
    assert f"log keyagent: line {place + 1} of keyagent.log" in done.stderr.decode()
    faults = [line for line in lines(filled) if "fault" in line]
    assert [(line["fault"], line["line"]) for line in faults] == [("gap", place + 1)]
    assert "!! gap" in audit(filled, "list").stdout.decode()


def test_the_cut_tail_of_a_log_is_caught_by_what_the_key_agent_saw_at_the_lock(filled: Box) -> None:
    for _ in range(3):
        assert audit(filled, "export").returncode == 0
    filled.lock()
    path = filled.state / "audit" / "cli.log"
    kept = path.read_bytes().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(kept))
    done = audit(filled, "verify", "--json")
    assert done.returncode == 5
    assert f"log cli: line {len(kept)} of cli.log" in done.stderr.decode()
    assert "the end was cut" in done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["whole"] is False
    assert [log["process"] for log in found["logs"] if log["problems"]] == ["cli"]


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_the_key_agents_own_log_has_a_witness_that_the_next_login_asks(filled: Box, how: str) -> None:
    with filled.login() as client:
        look_at(client)
    filled.lock()
    filled.stop()
    path = filled.state / "audit" / "keyagent.log"
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    done = audit(filled, "verify")
    assert done.returncode == 5 and "of witness.log saw number" in done.stderr.decode()
    filled.start()
    with filled.client() as client:
        told = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE}).json()
        assert told["rolled_back"] is True
        (line,) = lines(filled, "--event", "keyagent:audit:cut")
        assert line["logs"] == ["keyagent"]
        told = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE}).json()
        assert told["rolled_back"] is False, "told once; the record keeps it"
    assert audit(filled, "verify").returncode == 5


def test_lines_that_vanish_while_the_box_runs_are_named_by_its_next_line(filled: Box) -> None:
    with filled.login() as client:
        look_at(client)
        path = filled.state / "audit" / "keyagent.log"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        filled.run(
            "check", "--deep", "--user", OWNER, "--password-file", str(filled.password_file), "--state",
            str(filled.state),
        )  # fmt: skip
        assert "saw" in audit(filled, "verify").stderr.decode()


def test_an_owner_at_the_command_line_is_warned_of_a_cut_record(filled: Box) -> None:
    filled.lock()
    path = filled.state / "audit" / "keyagent.log"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    options = ("--user", OWNER, "--password-file", str(filled.password_file), "--state", str(filled.state))
    assert b"the end of the record is missing" in filled.run("check", "--deep", *options).stderr


@pytest.mark.parametrize("day", ["0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "13"])
def test_a_day_that_is_none_is_refused_in_a_sentence(filled: Box, day: str) -> None:
    for command in (("prune", "--before", day), ("list", "--since", day), ("export", "--until", day)):
        done = audit(filled, *command)
        assert done.returncode in (0, 2) and b"Traceback" not in done.stderr, done.stderr
        assert done.returncode == 2 or day == "0001-01-01"


def test_foreign_and_damaged_lines_are_listed_as_what_they_are(filled: Box) -> None:
    filled.stop()
    path = filled.state / "audit" / "keyagent.log"
    whole = path.read_bytes()
    path.write_bytes(b"\xff\x00not a line\n" + whole.replace(b"keyagent:person:login", b"keyagent:person:logim"))
    found = [(line.get("fault"), line["line"]) for line in lines(filled) if "fault" in line]
    assert ("foreign", 1) in found and "altered" in {fault for fault, _ in found}
    assert audit(filled, "list").returncode == 0
    assert audit(filled, "verify").returncode == 5
    assert all(check(line) is not None for line in audit(filled, "export", "--format", "dicom").stdout.splitlines())


def test_everything_can_be_exported_as_json_lines_and_as_dicom_audit_messages(filled: Box) -> None:
    with filled.login() as client:
        look_at(client)
    exported = [json.loads(line) for line in audit(filled, "export").stdout.splitlines()]
    listed = lines(filled)
    assert exported == listed
    messages = [check(line.decode()) for line in audit(filled, "export", "--format", "dicom").stdout.splitlines()]
    assert len(messages) == len(listed) + 1, "the export itself is a line"
    codes = {message[0][0].get("csd-code") for message in messages}
    assert codes >= {"110114", "110103", "110101"}
    assert [line["format"] for line in lines(filled, "--event", "cli:audit:export")] == ["jsonl", "dicom"]
    assert audit(filled, "export", "--format", "pdf").returncode == 2


def test_no_name_of_a_patient_is_in_any_export(filled: Box) -> None:
    with filled.login() as client:
        look_at(client)
        names = {study["patient_name"] for study in client.post("/api/studies/search", json={}).json()["studies"]}
    raw = audit(filled, "export").stdout + audit(filled, "export", "--format", "dicom").stdout
    assert names and not [name for name in names if name.encode() in raw]


def test_a_disk_that_was_put_back_is_noticed_by_the_browser_that_remembers(filled: Box, tmp_path: Path) -> None:
    def login(head: object = None) -> dict[str, Any]:
        body = {"user": OWNER, "password": PASSPHRASE} | ({"audit_head": head} if head else {})
        with filled.client() as client:
            answer = client.post("/api/session", json=body)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

    first = login()
    assert first["rolled_back"] is False and set(first["audit_head"]) == {"seq", "hash"}
    filled.lock()
    filled.stop()
    shutil.copytree(filled.state, tmp_path / "earlier", ignore=shutil.ignore_patterns("run"))
    filled.start()
    second = login(first["audit_head"])
    assert second["rolled_back"] is False
    third = login(second["audit_head"])
    assert third["rolled_back"] is False and third["audit_head"]["seq"] > second["audit_head"]["seq"]
    filled.stop()
    shutil.rmtree(filled.state)
    shutil.copytree(tmp_path / "earlier", filled.state)
    filled.start()
    assert login(first["audit_head"])["rolled_back"] is False
    assert login(third["audit_head"])["rolled_back"] is True
    (alarm,) = lines(filled, "--event", "keyagent:audit:rolled_back")
    assert alarm["seen"] == f"{third['audit_head']['seq']}:{third['audit_head']['hash']}"
    with filled.client() as client:
        body = {"user": OWNER, "password": PASSPHRASE, "audit_head": {"seq": -1, "hash": "x"}}
        assert client.post("/api/session", json=body).status_code == 400


def test_reads_that_were_cut_are_noticed_by_the_page_that_was_open(filled: Box) -> None:
    """Both of the agent's logs are put back to the moment of the login; the page was told of the reads meanwhile."""
    filled.lock()
    logs = [filled.state / "audit" / f"{name}.log" for name in ("keyagent", "witness")]
    with filled.login() as client, client.stream("GET", "/api/events") as events:
        kept = [path.read_bytes() for path in logs]
        look_at(client)
        head = next(
            json.loads(line.removeprefix("data: "))
            for begin, line in itertools.pairwise(events.iter_lines())
            if begin == "event: record"
        )
    os.kill(filled.children()["keyagent"], signal.SIGKILL)
    filled.stop()
    assert any(raw.count(b"\n") < path.read_bytes().count(b"\n") for raw, path in zip(kept, logs, strict=True))
    for path, raw in zip(logs, kept, strict=True):
        path.write_bytes(raw)
    assert audit(filled, "verify").returncode == 0, "nobody else can know"
    filled.start()
    for seen, rolled_back in ({}, False), ({"audit_head": head}, True):
        with filled.client() as client:
            told = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE} | seen)
            assert told.json()["rolled_back"] is rolled_back


def test_what_is_older_than_it_may_be_kept_goes_and_the_rest_verifies(tmp_path: Path) -> None:
    """The logs of two years ago are written by the box itself, at a changed clock (see test_clock)."""
    from tests.e2e.test_clock import clock_at

    box = Box(tmp_path)
    box.init()
    for moment in ("2024-01-10 12:00:00", "2024-02-10 12:00:00", ""):
        box.environment = (
            box.environment | {"LD_PRELOAD": "", "FAKETIME": ""} | (clock_at(moment, tmp_path) if moment else {})
        )
        box.start()
        try:
            with box.login():
                pass
            box.lock()
        finally:
            box.stop()
    assert audit(box, "verify").returncode == 0
    before = len(lines(box, "--log", "keyagent", "--until", "2024-12-31"))
    assert before > 0
    done = audit(box, "prune")
    assert done.returncode == 0, done.stderr.decode()
    assert f"keyagent: removed {before} lines" in done.stdout.decode()
    assert lines(box, "--log", "keyagent", "--until", "2024-12-31") == []
    assert audit(box, "verify").returncode == 0
    cuts = lines(box, "--log", "keyagent", "--event", "cli:audit:cut")
    assert cuts[0]["first"] == 1 and sum(c["last"] - c["first"] + 1 for c in cuts) == before
    box.start()
    try:
        with box.login() as client:
            wait_for(lambda: client.get("/api/session").status_code == 200, 10)
    finally:
        box.stop()
    assert audit(box, "verify").returncode == 0
    first = sorted((box.state / "audit").glob("keyagent*.log"))[0]
    first.write_bytes(b"".join(first.read_bytes().splitlines(keepends=True)[1:]))
    assert audit(box, "verify").returncode == 5
